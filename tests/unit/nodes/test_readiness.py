"""Readiness: what counts as ready, and for whom is waited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from knavtool.errors import DeadlineExceeded
from knavtool.events import StepProgressed
from knavtool.kube.gateway import WatchEvent
from knavtool.kube.resource import NODES, Resource
from knavtool.nodes.readiness import is_ready, wait_ready
from support.nodes import READY, Cluster, Listener, apply, node_set

NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"status": READY}, True),
        ({"status": READY, "spec": {"taints": None, "unschedulable": True}}, True),
        ({"status": READY, "spec": {"taints": [{"key": "gpu", "effect": "NoSchedule"}]}}, True),
        ({"status": READY, "spec": {"taints": [NOT_READY]}}, False),
        ({"status": READY, "spec": {"taints": [{**NOT_READY, "key": "node.kubernetes.io/unreachable"}]}}, False),
        ({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}, False),
        ({"status": {"conditions": None}}, False),
        ({}, False),
    ],
)
def test_what_ready_means(node: dict[str, Any], expected: bool) -> None:
    assert is_ready(node) is expected


class Watched(Cluster):
    """Tells when the initial list of a watch is complete."""

    def __init__(self) -> None:
        super().__init__()
        self.synced = asyncio.Event()

    async def watch(self, resource: Resource, **selectors: Any) -> AsyncGenerator[WatchEvent]:
        async for event in super().watch(resource, **selectors):
            yield event
            if event.synced:
                self.synced.set()


async def wait(cluster: Cluster, *names: str, listener: Listener | None = None, timeout: float = 20) -> None:
    with (listener or Listener()).steps.step("nodes", "ready") as step:
        await wait_ready(cluster, set(names), step=step, timeout=timeout)


async def become_ready(cluster: Cluster, name: str) -> None:
    await cluster.patch(NODES, name, {"status": READY}, subresource="status", strategic=True)


async def test_nodes_that_are_ready_are_not_waited_for(cluster: Cluster) -> None:
    await apply(cluster, node_set("a", "b"))
    await wait(cluster, "a", "b")


async def test_nodes_become_ready_one_by_one() -> None:
    cluster = Watched()
    await cluster.create(NODES, node_set("a").batches[0].body("a"))
    names = ["x", "y"]
    for name in names:
        body = {"metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "knavtool"}}}
        await cluster.create(NODES, body)
    listener = Listener()
    waiting = asyncio.create_task(wait(cluster, *names, listener=listener))
    await cluster.synced.wait()
    await become_ready(cluster, "y")
    await become_ready(cluster, "x")
    await waiting
    progress = [(event.done, event.total) for event in listener.events if isinstance(event, StepProgressed)]
    assert progress == [(1, 2), (2, 2)]


async def test_a_node_that_is_removed_is_not_waited_for() -> None:
    cluster = Watched()
    with pytest.raises(DeadlineExceeded):
        await apply(cluster, node_set("a", ready=False), timeout=0)
    cluster.synced.clear()
    waiting = asyncio.create_task(wait(cluster, "a"))
    await cluster.synced.wait()
    await cluster.delete(NODES, "a")
    await waiting


async def test_a_node_that_was_removed_before_the_list_is_not_waited_for(cluster: Cluster) -> None:
    await apply(cluster, node_set("a"))
    await wait(cluster, "a", "removed")


async def test_the_deadline_counts_and_names_what_is_left(cluster: Cluster) -> None:
    with pytest.raises(DeadlineExceeded):
        await apply(cluster, node_set("a", "b", ready=False), timeout=0)
    await become_ready(cluster, "b")
    with pytest.raises(DeadlineExceeded, match=r"^1 of 2 nodes are not Ready after 0\.05 s \(a\); a has Ready=False"):
        await wait(cluster, "a", "b", timeout=0.05)


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (
            {"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "Down", "message": "no power"}]}},
            "a has Ready=False (Down: no power)",
        ),
        (
            {"status": {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "Lost"}]}},
            "a has Ready=Unknown (Lost)",
        ),
        ({"status": READY, "spec": {"taints": [NOT_READY]}}, "a has the taint node.kubernetes.io/not-ready"),
    ],
)
async def test_the_last_that_was_seen_is_told(cluster: Cluster, node: dict[str, Any], said: str) -> None:
    with pytest.raises(DeadlineExceeded):
        await apply(cluster, node_set("a", ready=False), timeout=0)
    await cluster.patch(NODES, "a", {"status": node.get("status", {})}, subresource="status", strategic=True)
    await cluster.patch(NODES, "a", {"spec": node.get("spec", {})}, strategic=True)
    with pytest.raises(DeadlineExceeded) as raised:
        await wait(cluster, "a", timeout=0.05)
    assert raised.value.message == f"1 of 1 nodes are not Ready after 0.05 s (a); {said}"
