"""Nodes that come back wait until the leases of their predecessors are gone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from knavtool.kube.resource import LEASES
from support.nodes import Cluster, Listener, apply, node_set

if TYPE_CHECKING:
    import pytest

NAMESPACE = "kube-node-lease"
OWNER = {"apiVersion": "v1", "kind": "Node", "name": "a", "uid": "of-the-node-before"}


async def lease(cluster: Cluster, name: str, *, owned: bool = True) -> None:
    metadata = {"name": name, "namespace": NAMESPACE, **({"ownerReferences": [OWNER]} if owned else {})}
    manifest = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}
    await cluster.create(LEASES, manifest, namespace=NAMESPACE)
    cluster.writes()


async def test_a_node_is_created_when_its_old_lease_is_collected(cluster: Cluster) -> None:
    await lease(cluster, "a")
    applying = asyncio.create_task(apply(cluster, node_set("a", "b")))
    for _ in range(50):
        await asyncio.sleep(0)
    assert cluster.writes() == []
    await cluster.delete(LEASES, "a", namespace=NAMESPACE)
    cluster.writes()
    assert (await applying).created == 2
    assert sorted(cluster.writes()) == ["create a", "create b"]


async def test_leases_of_other_nodes_and_of_nobody_do_not_matter(cluster: Cluster) -> None:
    await lease(cluster, "c")
    await lease(cluster, "a", owned=False)
    assert (await apply(cluster, node_set("a", "b"))).created == 2


async def test_a_lease_that_stays_is_told_and_the_node_created(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knavtool.nodes.leases._WITHIN", 0.01)
    await lease(cluster, "a")
    listener = Listener()
    assert (await apply(cluster, node_set("a"), steps=listener.steps)).created == 1
    assert any("pods on nodes of the same names may start late" in note for note in listener.notes)
