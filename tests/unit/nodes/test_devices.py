"""Devices of nodes: their slices and classes follow the values file, and nothing is written without need."""

from __future__ import annotations

import pytest

from knavtool.errors import AlreadyExists, Conflict, Forbidden, NotFound
from knavtool.kube.resource import DEVICE_CLASSES, NODES, RESOURCE_SLICES
from knavtool.nodes.compare import compare
from knavtool.nodes.inventory import delete_nodes
from knavtool.nodes.ownership import MANAGED_BY, OURS
from knavtool.render.nodes import NodeSet
from support.nodes import Busy, Cluster, Listener, apply, node_set, with_devices

DRIVER = "gpu.example.com"
NONE = NodeSet(batches=())


def both(one: NodeSet, other: NodeSet) -> NodeSet:
    return NodeSet(batches=(*one.batches, *other.batches), device_classes=(*one.device_classes, *other.device_classes))


async def test_each_node_owns_its_slices(cluster: Cluster) -> None:
    summary = await apply(cluster, with_devices(node_set("a", "b"), 128, 1))
    assert str(summary) == (
        "2 created, 0 changed, 0 unchanged, 0 removed; devices of nodes: 2 created, 0 changed, 0 unchanged, 0 removed"
    )
    slices = await cluster.slices()
    assert sorted(slices) == ["a-gpu.example.com", "a-gpu.example.com-1", "b-gpu.example.com", "b-gpu.example.com-1"]
    second = slices["b-gpu.example.com-1"]
    node = await cluster.node("b")
    assert second["metadata"]["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "Node", "name": "b", "uid": node["metadata"]["uid"], "controller": True}
    ]
    assert second["spec"]["nodeName"] == "b"
    assert second["spec"]["pool"] == {"name": "b", "generation": 1, "resourceSliceCount": 2}
    assert [device["name"] for device in second["spec"]["devices"]] == ["gpu-128"]
    assert await cluster.classes() == [DRIVER]


async def test_applying_again_sends_one_list_of_each_kind(cluster: Cluster) -> None:
    wanted = with_devices(node_set("a", "b"), 8)
    await apply(cluster, wanted)
    cluster.writes()
    assert (await apply(cluster, wanted)).devices == "0 created, 0 changed, 2 unchanged, 0 removed"
    assert cluster.calls == [("list", kind, "") for kind in ("Node", "ResourceSlice", "DeviceClass")]


async def test_a_quantity_in_other_words_is_no_change(cluster: Cluster) -> None:
    await apply(cluster, with_devices(node_set("a"), 1))
    live = (await cluster.slices())["a-gpu.example.com"]
    live["spec"]["devices"][0]["capacity"]["memory"]["value"] = "144384Mi"
    await cluster.patch(RESOURCE_SLICES, "a-gpu.example.com", {"spec": {"devices": live["spec"]["devices"]}})
    cluster.writes()
    await apply(cluster, with_devices(node_set("a"), 1))
    assert cluster.writes() == []


async def test_a_change_gives_the_whole_pool_a_higher_generation(cluster: Cluster) -> None:
    await apply(cluster, both(with_devices(node_set("a"), 128, 2), node_set("plain")))
    cluster.writes()
    await apply(cluster, both(with_devices(node_set("a"), 128, 3), node_set("plain")))
    assert cluster.writes() == ["patch a-gpu.example.com", "patch a-gpu.example.com-1"]
    assert set((await cluster.generations()).values()) == {2}
    await apply(cluster, both(with_devices(node_set("a"), 8, model="B200"), node_set("plain")))
    assert cluster.writes() == ["delete a-gpu.example.com-1", "patch a-gpu.example.com"]
    assert await cluster.generations() == {"a-gpu.example.com": 3}
    await apply(cluster, both(with_devices(node_set("a"), 128, 1, model="B200"), node_set("plain")))
    assert await cluster.generations() == {"a-gpu.example.com": 4, "a-gpu.example.com-1": 4}


async def test_what_would_be_done_is_told_per_group_of_nodes(cluster: Cluster) -> None:
    await apply(cluster, with_devices(node_set("n-0", "n-1", "n-2"), 8))
    cluster.writes()
    wanted = both(with_devices(node_set("n-0", "n-1", "n-3"), 4, named="example.com/h", model="B200"), node_set("n-2"))
    assert list((await compare(cluster, wanted)).lines()) == [
        "+ n-3",
        "~ device class gpu.example.com",
        "    extendedResourceName: 'example.com/gpu' -> 'example.com/h'",
        "+ devices of gpu.example.com on n-3",
        "~ devices of gpu.example.com on n-0 … n-1 (2 nodes)",
        "    devices: 8 -> 4",
        "    attributes.model: H200 -> B200",
        "- devices of gpu.example.com on n-2",
    ]
    assert list((await compare(cluster, node_set("n-0", "n-1", "n-2"))).lines()) == [
        "- devices of gpu.example.com on n-0 … n-2 (3 nodes)",
        "- device class gpu.example.com",
    ]
    assert cluster.writes() == []


async def test_a_slice_that_was_tampered_with_is_as_before(cluster: Cluster) -> None:
    await apply(cluster, with_devices(node_set("a"), 2))
    live = (await cluster.slices())["a-gpu.example.com"]
    live["spec"]["devices"][1]["attributes"]["model"]["string"] = "T4"
    await cluster.patch(RESOURCE_SLICES, "a-gpu.example.com", {"spec": {"devices": live["spec"]["devices"]}})
    wanted = with_devices(node_set("a"), 2)
    assert list((await compare(cluster, wanted)).lines()) == [
        "~ devices of gpu.example.com on a",
        "    devices: as the file gives them",
    ]
    await apply(cluster, wanted)
    assert await cluster.generations() == {"a-gpu.example.com": 2}


async def test_another_driver_takes_the_place_of_the_first(cluster: Cluster) -> None:
    await apply(cluster, with_devices(node_set("a"), 8))
    await apply(cluster, with_devices(node_set("a"), 8, driver="gpu.other.com", named="other.com/gpu"))
    assert await cluster.generations() == {"a-gpu.other.com": 1}
    assert await cluster.classes() == ["gpu.other.com"]


async def test_nodes_that_stay_keep_their_devices_and_class(cluster: Cluster) -> None:
    await apply(cluster, with_devices(node_set("a", "b"), 8))
    await apply(cluster, node_set("b"), prune=False)
    assert list(await cluster.slices()) == ["a-gpu.example.com"]
    assert await cluster.classes() == [DRIVER]
    await apply(cluster, node_set("b"))
    assert (await cluster.slices(), await cluster.classes()) == ({}, [])


async def test_a_slice_without_an_owner_is_given_to_its_node(cluster: Cluster) -> None:
    """As when rendered manifests were applied by other means."""
    wanted = with_devices(node_set("a", labels={MANAGED_BY: OURS}), 8)
    for manifest in wanted.manifests():
        resource = {"Node": NODES, "ResourceSlice": RESOURCE_SLICES, "DeviceClass": DEVICE_CLASSES}[manifest["kind"]]
        await cluster.create(resource, manifest)
    assert "    owner: the node" in list((await compare(cluster, wanted)).lines())
    await apply(cluster, wanted)
    live = (await cluster.slices())["a-gpu.example.com"]
    assert live["metadata"]["ownerReferences"][0]["uid"] == (await cluster.node("a"))["metadata"]["uid"]
    assert live["spec"]["pool"]["generation"] == 1


async def test_slices_of_an_earlier_node_of_that_name_are_replaced(cluster: Cluster) -> None:
    wanted = with_devices(node_set("a"), 8)
    await apply(cluster, wanted)
    before = (await cluster.slices())["a-gpu.example.com"]["metadata"]["uid"]
    await cluster.delete(NODES, "a")
    await apply(cluster, wanted)
    live = (await cluster.slices())["a-gpu.example.com"]
    assert live["metadata"]["uid"] != before
    assert live["metadata"]["ownerReferences"][0]["uid"] == (await cluster.node("a"))["metadata"]["uid"]
    assert (await apply(cluster, wanted)).devices == "0 created, 0 changed, 1 unchanged, 0 removed"


async def test_deleted_nodes_take_devices_and_unused_classes_with_them(cluster: Cluster) -> None:
    other = with_devices(node_set("b"), 2, driver="nic.example.com", named="example.com/nic")
    await apply(cluster, both(with_devices(node_set("a"), 128, 2), other))
    assert await delete_nodes(cluster, ["a"], steps=Listener().steps) == 1
    assert list(await cluster.slices()) == ["b-nic.example.com"]
    assert await cluster.classes() == ["nic.example.com"]


async def test_devices_whose_node_is_gone_are_deleted_with_any_node(cluster: Cluster) -> None:
    await apply(cluster, with_devices(node_set("a"), 8))
    await cluster.delete(NODES, "a")
    assert await delete_nodes(cluster, [], steps=Listener().steps) == 0
    assert (await cluster.slices(), await cluster.classes()) == ({}, [])


async def test_a_class_of_somebody_else_serves_if_it_says_the_same(cluster: Cluster) -> None:
    wanted = with_devices(node_set("a"), 8)
    (device_class,) = wanted.device_classes
    await cluster.create(DEVICE_CLASSES, {**device_class, "metadata": {"name": DRIVER}})
    await apply(cluster, wanted)
    await delete_nodes(cluster, ["a"], steps=Listener().steps)
    assert await cluster.classes() == [DRIVER]


async def test_a_class_of_somebody_else_that_differs_stops_everything(cluster: Cluster) -> None:
    spec = {"extendedResourceName": "other.com/gpu"}
    await cluster.create(DEVICE_CLASSES, {"metadata": {"name": DRIVER}, "spec": spec})
    wanted = with_devices(node_set("a"), 8)
    with pytest.raises(Conflict, match=r"device class gpu\.example\.com belongs to somebody else and is not as wanted"):
        await apply(cluster, wanted)
    assert await cluster.names() == []
    await apply(cluster, wanted, take_ownership=True)
    assert (await cluster.get(DEVICE_CLASSES, DRIVER))["spec"]["extendedResourceName"] == "example.com/gpu"


async def test_a_slice_of_a_release_is_taken_with_its_node(cluster: Cluster) -> None:
    wanted = with_devices(node_set("a"), 8)
    await cluster.foreign("a", release="virtual-nodes")
    (slice_,) = wanted.batches[0].slice_manifests("a")
    slice_["metadata"] = {
        "name": "a-gpu.example.com",
        "labels": {"type": "kwok"},
        "annotations": {"meta.helm.sh/release-name": "virtual-nodes", "meta.helm.sh/release-namespace": "default"},
    }
    await cluster.create(RESOURCE_SLICES, slice_)
    with pytest.raises(Conflict, match="node a belongs to Helm release"):
        await apply(cluster, wanted)
    await apply(cluster, wanted, take_ownership=True)
    metadata = (await cluster.slices())["a-gpu.example.com"]["metadata"]
    assert metadata["labels"]["app.kubernetes.io/managed-by"] == "knavtool"
    assert metadata.get("annotations", {}) == {}


async def test_a_slice_of_somebody_else_is_not_touched(cluster: Cluster) -> None:
    wanted = with_devices(node_set("a"), 8)
    (slice_,) = wanted.batches[0].slice_manifests("a")
    slice_["metadata"]["labels"] = {"type": "kwok"}
    await cluster.create(RESOURCE_SLICES, slice_)
    with pytest.raises(Conflict, match=r"resource slice a-gpu\.example\.com belongs to somebody else; nothing was"):
        await apply(cluster, wanted)


async def test_a_cluster_without_devices_needs_no_right_to_them(cluster: Cluster) -> None:
    for error in (NotFound("list resourceslices: no such kind", status=404), Forbidden("no", status=403)):
        cluster.refuse["list", "ResourceSlice"] = cluster.refuse["list", "DeviceClass"] = error
        await apply(cluster, node_set("a"))
        assert await delete_nodes(cluster, ["a"], steps=Listener().steps) == 1


async def test_devices_need_a_server_that_has_them(cluster: Cluster) -> None:
    cluster.refuse["list", "ResourceSlice"] = NotFound("list resourceslices: not found", status=404)
    with pytest.raises(NotFound, match=r"does not serve resource\.k8s\.io/v1 ResourceSlice") as told:
        await apply(cluster, with_devices(node_set("a"), 8))
    assert "1.34" in told.value.hint
    cluster.refuse["list", "ResourceSlice"] = Forbidden("list resourceslices: not you", status=403)
    with pytest.raises(Forbidden, match="not you"):
        await apply(cluster, with_devices(node_set("a"), 8))
    assert await cluster.names() == []


async def test_refused_slices_are_summed_up(cluster: Cluster) -> None:
    cluster.refuse["create", "ResourceSlice"] = Forbidden("create resourceslices: not you", status=403)
    with pytest.raises(Forbidden, match=r"2 of 2 devices of nodes were refused \(a, b\): create resourceslices"):
        await apply(cluster, with_devices(node_set("a", "b"), 8))


async def test_somebody_was_faster() -> None:
    busy = Busy()
    wanted = with_devices(node_set("a"), 8)
    await apply(busy, wanted)
    busy.before["patch"] = [lambda: busy.delete(RESOURCE_SLICES, "a-gpu.example.com")]
    await apply(busy, with_devices(node_set("a"), 4))
    assert await busy.generations() == {"a-gpu.example.com": 2}
    await busy.delete(RESOURCE_SLICES, "a-gpu.example.com")
    (slice_,) = wanted.batches[0].slice_manifests("a")
    busy.before["create"] = [lambda: Cluster.create(busy, RESOURCE_SLICES, slice_)]
    await apply(busy, wanted)
    assert len((await busy.slices())["a-gpu.example.com"]["spec"]["devices"]) == 8
    with pytest.raises(AlreadyExists):
        await busy.create(RESOURCE_SLICES, slice_)
