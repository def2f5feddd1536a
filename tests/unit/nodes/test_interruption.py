"""Ctrl-C while nodes are written: nothing new is sent, what was sent is awaited, and the count is told."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from knavtool.events import Result, StepEnded
from knavtool.kube.concurrency import WIDTH
from knavtool.kube.gateway import FIELD_MANAGER
from knavtool.kube.resource import SECRETS, Manifest, Resource
from knavtool.nodes import writing
from knavtool.render.nodes import NodeSet
from support.nodes import Cluster, Listener, apply, node_set, stored, virtual

MANY = [f"n-{number}" for number in range(3 * WIDTH)]


class Slow(Cluster):
    """Takes writes at once, and answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()
        self.done = 0

    async def create(self, resource: Resource, body: Manifest | bytes, **more: Any) -> Manifest:
        await self._hold()
        return await super().create(resource, body, **more)

    async def patch(self, resource: Resource, name: str, body: Manifest, **more: Any) -> Manifest:
        await self._hold()
        return await super().patch(resource, name, body, **more)

    async def delete(self, resource: Resource, name: str, **more: Any) -> bool:
        await self._hold()
        return await super().delete(resource, name, **more)

    async def _hold(self) -> None:
        self.asked.set()
        await self.answer.wait()


@pytest.fixture
def slow() -> Slow:
    return Slow()


@asynccontextmanager
async def interrupted(slow: Slow, nodes: NodeSet, listener: Listener, **more: Any) -> AsyncIterator[asyncio.Task[Any]]:
    """An application that was cancelled while its first requests are under way; it must end, with all that it began."""
    before = asyncio.all_tasks()
    slow.asked.clear()
    slow.answer.clear()
    task = asyncio.create_task(apply(slow, nodes, steps=listener.steps, **more))
    asked = asyncio.create_task(slow.asked.wait())
    await asyncio.wait([task, asked], return_when=asyncio.FIRST_COMPLETED)
    assert asked.done(), task
    task.cancel()
    await asyncio.sleep(0)
    yield task
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == before


async def test_requests_under_way_are_awaited_and_counted(slow: Slow) -> None:
    listener = Listener()
    async with interrupted(slow, node_set(*MANY), listener):
        slow.answer.set()
    assert len(await slow.names()) == WIDTH
    assert listener.notes == [
        f"interrupted: nodes: {WIDTH} of {len(MANY)} created; the same command again does the rest"
    ]
    write = [event for event in listener.events if isinstance(event, StepEnded)][-1]
    assert write.result is Result.CANCELLED
    slow.writes()
    summary = await apply(slow, node_set(*MANY))
    assert (summary.created, summary.unchanged) == (len(MANY) - WIDTH, WIDTH)


async def test_later_kinds_of_writes_are_not_begun(slow: Slow) -> None:
    slow.answer.set()
    await apply(slow, node_set("changes", "goes"))
    listener = Listener()
    async with interrupted(slow, node_set("changes", "new", labels={"x": "1"}), listener):
        slow.answer.set()
    assert await slow.names() == ["changes", "goes", "new"]
    assert listener.notes == [
        "interrupted: nodes: 1 of 1 created, 0 of 1 changed, 0 of 1 removed; the same command again does the rest"
    ]


async def test_a_server_that_does_not_answer_is_not_waited_for_long(
    slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_GRACE_SECONDS", 0.01)
    listener = Listener()
    async with interrupted(slow, node_set("a", "b"), listener):
        pass
    assert listener.notes == [
        "interrupted: nodes: 0 of 2 created; the server did not answer for 2 more; the same command again does the rest"
    ]


async def test_a_second_interruption_ends_the_waiting(slow: Slow) -> None:
    listener = Listener()
    async with interrupted(slow, node_set("a"), listener) as task:
        task.cancel()
    assert "did not answer for 1 more" in listener.notes[0]


async def test_a_refusal_after_the_interruption_is_not_counted(slow: Slow) -> None:
    from knavtool.errors import Forbidden

    listener = Listener()
    async with interrupted(slow, node_set("a"), listener):
        slow.refuse["create", "Node"] = Forbidden("create nodes a: no", status=403)
        slow.answer.set()
    assert listener.notes == ["interrupted: nodes: 0 of 1 created; the same command again does the rest"]


async def test_helm_forgets_a_release_whose_nodes_were_taken(slow: Slow) -> None:
    slow.answer.set()
    await slow.foreign("a", release="virtual-nodes")
    data = {"release": base64.b64encode(stored(virtual("a")).encode()).decode()}
    secret = {"metadata": {"name": "s", "labels": {"owner": "helm", "name": "virtual-nodes"}}, "data": data}
    await slow.create(SECRETS, secret, namespace="default")
    async with interrupted(slow, node_set("a"), Listener(), take_ownership=True):
        slow.answer.set()
    assert await slow.list(SECRETS) == []
    assert FIELD_MANAGER in (await slow.node("a"))["metadata"]["labels"].values()
