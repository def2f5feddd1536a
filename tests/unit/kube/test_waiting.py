"""Waiting: the predicate sees the last state, and a deadline tells it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest

from knavtool.errors import DeadlineExceeded, Forbidden, NotFound
from knavtool.kube.gateway import WatchEvent
from knavtool.kube.resource import CUSTOM_RESOURCE_DEFINITIONS, NODES, Resource
from knavtool.kube.waiting import until, until_established
from support.memory import Memory

State = Mapping[tuple[str, str], Any]


async def add(memory: Memory, *names: str) -> None:
    for name in names:
        await memory.create(NODES, {"metadata": {"name": name}})


def names(state: State) -> list[str]:
    return sorted(name for _, name in state)


class Watched(Memory):
    """Tells when it is watched; its list never ends if it is not `complete`."""

    def __init__(self, *, complete: bool = True) -> None:
        super().__init__()
        self.complete = complete
        self.watched = asyncio.Event()

    async def watch(self, resource: Resource, **selectors: Any) -> AsyncGenerator[WatchEvent]:
        async for event in super().watch(resource, **selectors):
            if event.synced:
                self.watched.set()
                if not self.complete:
                    await asyncio.Event().wait()
            yield event


async def test_a_state_that_is_there_already() -> None:
    memory = Memory()
    await add(memory, "a", "b")
    assert await until(memory, NODES, names, timeout=20) == ["a", "b"]


async def test_an_empty_list_is_a_state() -> None:
    assert await until(Memory(), NODES, len, timeout=20) == 0


async def test_the_predicate_is_not_asked_before_the_list_is_complete() -> None:
    memory = Watched(complete=False)
    await add(memory, "a")
    asked: list[State] = []
    with pytest.raises(DeadlineExceeded):
        await until(memory, NODES, asked.append, timeout=0.05)
    assert asked == []


async def test_changes_and_deletions_reach_the_state() -> None:
    memory = Memory()
    await add(memory, "a", "b")
    seen: asyncio.Queue[Any] = asyncio.Queue()

    def one_left(state: State) -> bool | None:
        seen.put_nowait({name: item.get("spec") for (_, name), item in state.items()})
        return True if len(state) == 1 else None

    waiting = asyncio.create_task(until(memory, NODES, one_left, timeout=20))
    assert await seen.get() == {"a": None, "b": None}
    await memory.patch(NODES, "a", {"spec": {"unschedulable": True}})
    assert await seen.get() == {"a": {"unschedulable": True}, "b": None}
    await memory.delete(NODES, "b")
    assert await seen.get() == {"a": {"unschedulable": True}}
    assert await waiting


async def test_a_deadline_tells_what_was_seen_last() -> None:
    memory = Memory()
    await add(memory, "a")
    with pytest.raises(DeadlineExceeded, match=r"^not reached within 0\.05 s: 1 nodes seen$"):
        await until(memory, NODES, lambda _: None, timeout=0.05)
    with pytest.raises(DeadlineExceeded, match=r"^not reached within 0\.05 s: only \['a'\]$"):
        await until(memory, NODES, lambda _: None, timeout=0.05, describe=lambda state: f"only {names(state)}")


async def test_a_refused_watch_is_raised() -> None:
    memory = Memory()
    memory.refuse["watch", "Node"] = Forbidden("watch nodes: no", status=403)
    with pytest.raises(Forbidden, match="watch nodes: no"):
        await until(memory, NODES, lambda _: None, timeout=20)


async def test_an_error_of_the_predicate_is_raised_and_nothing_goes_on() -> None:
    memory = Memory()
    before = asyncio.all_tasks()
    with pytest.raises(ZeroDivisionError):
        await until(memory, NODES, lambda _: 1 // 0, timeout=20)
    assert asyncio.all_tasks() == before


async def test_a_cancelled_wait_ends_its_watch() -> None:
    memory = Watched()
    before = asyncio.all_tasks()
    waiting = asyncio.create_task(until(memory, NODES, lambda _: None, timeout=None))
    await memory.watched.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asyncio.all_tasks() == before


GIZMOS = Resource("example.com", "v1", "gizmos", "Gizmo", namespaced=True)


def definition(*, established: bool = True) -> dict[str, Any]:
    return {
        "metadata": {"name": "gizmos.example.com"},
        "spec": {
            "group": "example.com",
            "names": {"kind": "Gizmo"},
            "versions": [{"name": "v0", "served": False}, {"name": "v1", "served": True}],
        },
        "status": {"conditions": [{"type": "Established", "status": str(established)}]},
    }


class Late(Memory):
    """Serves a kind only when it has been asked for it a few times."""

    asked = 0

    async def discover(self, api_version: str, kind: str) -> Resource:
        self.asked += 1
        if self.asked < 4:
            raise NotFound("not yet", status=404)
        return await super().discover(api_version, kind)


async def test_a_kind_is_waited_for_until_it_is_served_also_after_it_was_established() -> None:
    memory = Late([GIZMOS])
    await memory.create(CUSTOM_RESOURCE_DEFINITIONS, definition())
    await until_established(memory, ["gizmos.example.com"], timeout=20)
    assert memory.asked == 4


@pytest.mark.parametrize("established", [True, False])
async def test_a_kind_that_is_never_served(established: bool) -> None:
    memory = Memory()
    await memory.create(CUSTOM_RESOURCE_DEFINITIONS, definition(established=established))
    said = "the API server does not serve gizmos.example.com"
    why = "established, but not in discovery" if established else "Established=False"
    with pytest.raises(DeadlineExceeded, match=rf"within 0.05 s: {said} \({why}\)$"):
        await until_established(memory, ["gizmos.example.com"], timeout=0.05)


async def test_only_definitions_that_are_missing_are_told() -> None:
    memory = Memory([GIZMOS])
    await memory.create(CUSTOM_RESOURCE_DEFINITIONS, definition())
    accepted = {
        "type": "NamesAccepted",
        "status": "False",
        "reason": "ListKindConflict",
        "message": "OtherList is taken",
    }
    other = definition() | {"metadata": {"name": "others.example.com"}, "status": {"conditions": [accepted]}}
    await memory.create(CUSTOM_RESOURCE_DEFINITIONS, other)
    with pytest.raises(DeadlineExceeded) as raised:
        await until_established(memory, ["gizmos.example.com", "others.example.com", "no.example.com"], timeout=0.05)
    assert raised.value.message.endswith(
        "does not serve no.example.com (there is no such definition), "
        "others.example.com (NamesAccepted=False: OtherList is taken)"
    )
