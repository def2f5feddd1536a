"""Nodes of others: refused, or taken over so that nobody deletes them later."""

from __future__ import annotations

from typing import Any

import pytest

from knavtool.errors import Conflict, Forbidden
from knavtool.kube.resource import NODES, SECRETS
from knavtool.nodes.ownership import Owner, owner_of
from support.nodes import Cluster, apply, node_set

OURS = {"app.kubernetes.io/managed-by": "knavtool"}
HELM: dict[str, str] = {"meta.helm.sh/release-name": "gpus", "meta.helm.sh/release-namespace": "lab"}


@pytest.mark.parametrize(
    ("metadata", "owner", "says"),
    [
        ({"labels": OURS}, Owner(ours=True), "knavtool"),
        ({"labels": OURS, "annotations": HELM}, Owner(ours=True), "knavtool"),
        ({"annotations": HELM}, Owner(ours=False, release="gpus", namespace="lab"), "Helm release lab/gpus"),
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, Owner(ours=False), "somebody else"),
        ({"labels": None, "annotations": None}, Owner(ours=False), "somebody else"),
    ],
)
def test_who_owns_a_node(metadata: dict[str, Any], owner: Owner, says: str) -> None:
    found = owner_of({"metadata": metadata})
    assert found == owner
    assert str(found) == says


async def record(cluster: Cluster, release: str = "virtual-nodes") -> None:
    """Helm's record of a release, beside one of another release."""
    for name in (release, "prometheus"):
        secret = {"metadata": {"name": f"sh.helm.release.v1.{name}.v1", "labels": {"owner": "helm", "name": name}}}
        await cluster.create(SECRETS, secret, namespace="default")


async def records(cluster: Cluster) -> list[str]:
    return [secret["metadata"]["labels"]["name"] for secret in await cluster.list(SECRETS)]


@pytest.mark.parametrize(
    ("release", "owner", "hint"),
    [
        ("virtual-nodes", "Helm release default/virtual-nodes", "helm uninstall virtual-nodes -n default"),
        ("", "somebody else", "--take-ownership"),
    ],
)
async def test_a_node_of_somebody_else_is_refused(cluster: Cluster, release: str, owner: str, hint: str) -> None:
    await apply(cluster, node_set("mine"))
    for name in ("a", "b"):
        await cluster.foreign(name, release=release)
    with pytest.raises(Conflict, match=rf"node a \(and 1 more\) belongs to {owner}; nothing was changed") as caught:
        await apply(cluster, node_set("a", "b", "c"))
    assert hint in caught.value.hint
    assert cluster.writes() == []


async def test_a_release_is_taken_over_whole(cluster: Cluster) -> None:
    for name in ("a", "b"):
        await cluster.foreign(name, release="virtual-nodes")
    await cluster.foreign("others", release="another")
    await record(cluster)
    summary = await apply(cluster, node_set("a", labels={"x": "1"}), take_ownership=True)
    assert (summary.changed, summary.removed) == (1, 1)
    metadata = (await cluster.node("a"))["metadata"]
    assert metadata["labels"]["app.kubernetes.io/managed-by"] == "knavtool"
    assert not any(key.startswith("meta.helm.sh/") for key in metadata["annotations"])
    assert await cluster.names() == ["a", "others"]
    assert await records(cluster) == ["prometheus"]
    cluster.writes()
    assert (await apply(cluster, node_set("a", labels={"x": "1"}))).unchanged == 1
    assert cluster.writes() == []


async def test_a_node_of_nobody_is_taken_over_alone(cluster: Cluster) -> None:
    for name in ("a", "b"):
        await cluster.foreign(name)
    await record(cluster)
    assert (await apply(cluster, node_set("a"), take_ownership=True)).changed == 1
    assert await cluster.names() == ["a", "b"]
    assert await records(cluster) == ["virtual-nodes", "prometheus"]


async def test_helm_forgets_a_release_also_when_a_new_node_is_refused(cluster: Cluster) -> None:
    # The next call sees no node of the release any more, so it could not do this.
    await cluster.foreign("a", release="virtual-nodes")
    await record(cluster)
    cluster.refuse["create", "Node"] = Forbidden("create nodes b: no", status=403)
    with pytest.raises(Forbidden):
        await apply(cluster, node_set("a", "b"), take_ownership=True)
    assert await records(cluster) == ["prometheus"]


async def test_helm_keeps_a_release_of_which_nothing_was_taken(cluster: Cluster) -> None:
    await cluster.foreign("a", release="virtual-nodes")
    await record(cluster)
    cluster.refuse["patch", "Node"] = Forbidden("patch nodes a: no", status=403)
    with pytest.raises(Forbidden):
        await apply(cluster, node_set("a"), take_ownership=True)
    assert await records(cluster) == ["virtual-nodes", "prometheus"]


async def test_deletion_spares_a_node_that_changed_hands(cluster: Cluster) -> None:
    await apply(cluster, node_set("a"))
    await cluster.patch(NODES, "a", {"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}})
    assert (await apply(cluster, node_set())).removed == 0
    assert await cluster.names() == ["a"]
