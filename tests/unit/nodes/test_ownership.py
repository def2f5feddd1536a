"""Nodes of others: refused, or taken over so that nobody deletes them later."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from knavtool.errors import Conflict, Forbidden
from knavtool.kube.resource import CONFIG_MAPS, NODES, SECRETS
from knavtool.nodes.ownership import Owner, owner_of
from support.nodes import Cluster, apply, node_set, stored, virtual

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


async def record(
    cluster: Cluster,
    *objects: dict[str, Any],
    release: str = "virtual-nodes",
    status: str = "deployed",
    in_config_map: bool = False,
    hooks: tuple[dict[str, Any], ...] = (),
) -> None:
    """Helm's record of a release with these objects, beside one of another release; nodes a and b if none are given."""
    data = stored(*(objects or (virtual("a"), virtual("b"))), hooks=hooks)
    for name, value in ((release, data), ("prometheus", "")):
        labels = {"owner": "helm", "name": name, "status": status}
        body = {"metadata": {"name": f"sh.helm.release.v1.{name}.v1", "labels": labels}, "data": {"release": value}}
        if in_config_map:
            await cluster.create(CONFIG_MAPS, body, namespace="default")
            continue
        body["data"] = {"release": base64.b64encode(value.encode()).decode()}
        await cluster.create(SECRETS, body, namespace="default")


async def records(cluster: Cluster) -> list[str]:
    found = [*await cluster.list(SECRETS), *await cluster.list(CONFIG_MAPS)]
    return [one["metadata"]["labels"]["name"] for one in found]


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


SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}


@pytest.mark.parametrize(
    ("objects", "hooks", "said"),
    [
        ((virtual("a"), SERVICE), (), "Service web"),
        ((virtual("a"), virtual("b", type="other")), (), "Node b"),
        ((virtual("a"),), ({"kind": "Job", "name": "prepare"},), "hook Job prepare"),
        ((SERVICE,) * 5, (), "Service web, Service web, Service web and 2 more"),
    ],
)
async def test_a_release_that_holds_more_than_nodes_is_not_taken_over(
    cluster: Cluster, objects: tuple[dict[str, Any], ...], hooks: tuple[dict[str, Any], ...], said: str
) -> None:
    # Helm would forget the rest of it, which nobody could upgrade or uninstall any more.
    await cluster.foreign("a", release="umbrella")
    await record(cluster, *objects, release="umbrella", hooks=hooks)
    cluster.writes()
    with pytest.raises(
        Conflict, match="Helm release default/umbrella has other objects than the wanted nodes"
    ) as caught:
        await apply(cluster, node_set("a"), take_ownership=True)
    assert f"nodes: {said}; nothing was changed" in caught.value.message
    assert cluster.writes() == []
    assert await records(cluster) == ["umbrella", "prometheus"]


async def test_a_release_of_which_nodes_would_stay_is_not_taken_over(cluster: Cluster) -> None:
    for name in ("a", "b"):
        await cluster.foreign(name, release="gpus")
    await record(cluster, release="gpus")
    with pytest.raises(Conflict, match="than the wanted nodes: Node b; nothing"):
        await apply(cluster, node_set("a"), take_ownership=True, prune=False)
    await apply(cluster, node_set("a", "b"), take_ownership=True, prune=False)
    assert await records(cluster) == ["prometheus"]


async def test_a_record_that_cannot_be_read_proves_nothing(cluster: Cluster) -> None:
    await cluster.foreign("a", release="gpus")
    labels = {"owner": "helm", "name": "gpus", "status": "deployed"}
    secret = {"metadata": {"name": "sh.helm.release.v1.gpus.v1", "labels": labels}, "data": {"release": "AAAA"}}
    await cluster.create(SECRETS, secret, namespace="default")
    with pytest.raises(Conflict, match=r"what sh\.helm\.release\.v1\.gpus\.v1 says, which cannot be read"):
        await apply(cluster, node_set("a"), take_ownership=True)


async def test_what_an_earlier_revision_held_does_not_count(cluster: Cluster) -> None:
    await cluster.foreign("a", release="gpus")
    await record(cluster, virtual("a"), SERVICE, release="gpus", status="superseded")
    await apply(cluster, node_set("a"), take_ownership=True)
    assert await records(cluster) == ["prometheus"]


async def test_a_release_that_helm_keeps_in_config_maps_is_forgotten_too(cluster: Cluster) -> None:
    await cluster.foreign("a", release="gpus")
    await record(cluster, release="gpus", in_config_map=True)
    await apply(cluster, node_set("a"), take_ownership=True)
    assert await records(cluster) == ["prometheus"]
