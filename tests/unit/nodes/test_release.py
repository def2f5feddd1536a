"""Nodes as a Helm release, with a Helm that only writes down what it is told."""

from __future__ import annotations

from typing import Any

import pytest

from knavtool.documents.entries import NodeEntry
from knavtool.errors import Conflict, Forbidden
from knavtool.kube.resource import NODES
from knavtool.nodes.apply import Summary
from knavtool.nodes.release import install_release
from knavtool.render.nodes import NodeSet
from support.nodes import Cluster, Listener, apply, node_set

ENTRY = NodeEntry(type="dgxa100.80g", count=2, labels={"x": "1"})


class Helm:
    """Creates nodes that are missing and deletes its nodes that are not wanted, as an upgrade does."""

    def __init__(self, cluster: Cluster, nodes: NodeSet) -> None:
        self.cluster = cluster
        self.nodes = nodes
        self.calls: list[dict[str, Any]] = []

    async def upgrade_install(self, release: str, chart: Any, **given: Any) -> None:
        self.calls.append({"release": release, "chart": chart.name, **given})
        marks = {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": "default"}
        there = {node["metadata"]["name"]: node for node in await self.cluster.list(NODES)}
        for node in self.nodes.manifests():
            node["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "Helm"
            node["metadata"]["annotations"] |= marks
            if node["metadata"]["name"] not in there:
                await self.cluster.create(NODES, node)
        for name in there.keys() - set(self.nodes.names()):
            if there[name]["metadata"]["annotations"].get("meta.helm.sh/release-name") == release:
                await self.cluster.delete(NODES, name)
        self.cluster.calls.clear()


async def install(helm: Helm, *, take_ownership: bool = False) -> Summary:
    return await install_release(
        helm.cluster,
        helm,  # type: ignore[arg-type]
        [ENTRY],
        helm.nodes,
        steps=Listener().steps,
        timeout=20,
        take_ownership=take_ownership,
    )


async def test_helm_gets_the_entries(cluster: Cluster) -> None:
    helm = Helm(cluster, node_set("a", "b"))
    await install(helm)
    assert helm.calls == [
        {
            "release": "virtual-nodes",
            "chart": "virtual-nodes",
            "namespace": "default",
            "values": {"nodes": [{"type": "dgxa100.80g", "count": 2, "labels": {"x": "1"}}]},
            "take_ownership": False,
            "timeout": 20,
        }
    ]


async def test_the_status_of_existing_nodes_follows(cluster: Cluster) -> None:
    # An upgrade of Helm does not reach the status, so a change of resources would not arrive.
    helm = Helm(cluster, node_set("a", "b"))
    await install(helm)
    helm.nodes = node_set("a", "c", resources={"cpu": "1"})
    summary = await install(helm)
    assert (summary.created, summary.changed, summary.unchanged, summary.removed) == (1, 1, 0, 1)
    assert cluster.writes() == ["patch status a"]
    assert (await cluster.node("a"))["status"]["capacity"] == {"cpu": "1"}
    summary = await install(helm)
    assert (summary.created, summary.changed, summary.unchanged, summary.removed) == (0, 0, 2, 0)
    assert cluster.writes() == []


@pytest.mark.parametrize(("release", "owner"), [("other", "Helm release default/other"), ("", "somebody else")])
async def test_nodes_of_somebody_else_are_refused(cluster: Cluster, release: str, owner: str) -> None:
    await cluster.foreign("a", release=release)
    helm = Helm(cluster, node_set("a"))
    with pytest.raises(Conflict, match=f"node a belongs to {owner}; nothing was changed"):
        await install(helm)
    assert helm.calls == []
    await install(helm, take_ownership=True)
    assert helm.calls[0]["take_ownership"] is True


async def test_nodes_of_ours_are_refused(cluster: Cluster) -> None:
    await apply(cluster, node_set("a"))
    with pytest.raises(Conflict, match="node a belongs to knavtool"):
        await install(Helm(cluster, node_set("a")))


async def test_a_refused_status_is_told(cluster: Cluster) -> None:
    helm = Helm(cluster, node_set("a", "b"))
    await install(helm)
    helm.nodes = node_set("a", "b", resources={"cpu": "1"})
    cluster.refuse["patch status", "Node"] = Forbidden("patch nodes/status: no", status=403)
    with pytest.raises(Forbidden, match=r"2 of 2 nodes were refused \(a, b\): patch nodes/status: no"):
        await install(helm)
