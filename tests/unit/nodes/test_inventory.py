"""Listing and deleting the nodes this tool made, and only those."""

from __future__ import annotations

import pytest

from knavtool.errors import Forbidden
from knavtool.kube.resource import NODES
from knavtool.nodes.inventory import delete_nodes, list_nodes, our_names
from support.nodes import Busy, Cluster, Listener, apply, node_set, with_devices


async def test_rows_tell_what_people_ask_for(cluster: Cluster) -> None:
    await apply(cluster, node_set("a", "b", resources={"cpu": "96", "memory": "1Ti", "nvidia.com/gpu": "8"}))
    await cluster.patch(NODES, "b", {"spec": {"unschedulable": True}})
    not_ready = {"conditions": [{"type": "Ready", "status": "False"}], "allocatable": {"nvidia.com/gpu": None}}
    await cluster.patch(NODES, "b", {"status": not_ready}, subresource="status", strategic=True)
    await cluster.foreign("theirs")
    rows = {row.name: row for row in [row async for row in list_nodes(cluster)]}
    assert sorted(rows) == ["a", "b"]
    first = rows["a"]
    assert (first.cpu, first.memory, first.gpus, first.ready, first.cordoned) == ("96", "1Ti", "8", True, False)
    assert first.created == "2026-01-01T00:00:00Z"
    assert (rows["b"].gpus, rows["b"].ready, rows["b"].cordoned) == ("0", False, True)


async def test_a_node_without_status_is_a_row_too(cluster: Cluster) -> None:
    await cluster.create(NODES, {"metadata": {"name": "a", "labels": {"app.kubernetes.io/managed-by": "knavtool"}}})
    (row,) = [row async for row in list_nodes(cluster)]
    assert (row.cpu, row.memory, row.gpus, row.ready) == ("0", "0", "0", False)


async def test_only_ours_are_deleted(cluster: Cluster) -> None:
    await apply(cluster, node_set("a", "b", "c"))
    await cluster.foreign("theirs")
    await cluster.foreign("helms", release="virtual-nodes")
    assert await our_names(cluster) == ["a", "b", "c"]
    listener = Listener()
    wanted = ["a", "b", "theirs", "helms", "missing"]
    assert await delete_nodes(cluster, wanted, steps=listener.steps) == 2
    assert await cluster.names() == ["c", "helms", "theirs"]
    assert await delete_nodes(cluster, wanted, steps=listener.steps) == 0


async def test_a_node_that_was_renewed_meanwhile_is_spared() -> None:
    busy = Busy()
    await apply(busy, node_set("a", "b"))

    async def renew() -> None:
        await Cluster.delete(busy, NODES, "b")
        await Cluster.create(busy, NODES, {"metadata": {"name": "b"}})

    busy.before["delete"] = [renew]
    assert await delete_nodes(busy, ["a", "b"], steps=Listener().steps) == 1
    assert await busy.names() == ["b"]


async def test_refused_deletions_are_named(cluster: Cluster) -> None:
    await apply(cluster, node_set("a", "b"))
    cluster.refuse["delete", "Node"] = Forbidden("delete nodes: no", status=403)
    with pytest.raises(Forbidden, match=r"^2 of 2 nodes were refused \(a, b\): delete nodes: no$"):
        await delete_nodes(cluster, ["a", "b"], steps=Listener().steps)


async def test_devices_of_dynamic_resource_allocation_are_gpus(cluster: Cluster) -> None:
    await apply(cluster, with_devices(node_set("a", "b", resources={"cpu": "8"}), 128, 2))
    rows = {row.name: row.gpus for row in [row async for row in list_nodes(cluster)]}
    assert rows == {"a": "130", "b": "130"}
