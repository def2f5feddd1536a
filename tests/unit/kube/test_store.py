"""One list and watch for all who read a kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from knavtool.errors import Forbidden
from knavtool.kube.gateway import SYNCED, Change, WatchEvent
from knavtool.kube.resource import JOBS, Manifest, Resource
from knavtool.kube.store import Stores
from support.memory import Memory


class _Counting(Memory):
    """Counts watches; `refused` is raised by those that begin afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.watches = 0
        self.refused: Forbidden | None = None

    async def watch(self, resource: Resource, **options: Any) -> AsyncGenerator[WatchEvent]:
        self.watches += 1
        if self.refused is not None:
            raise self.refused
        async for event in super().watch(resource, **options):
            yield event


async def job(memory: Memory, name: str) -> Manifest:
    return await memory.create(JOBS, {"metadata": {"name": name, "managedFields": [{}]}}, namespace="default")


async def seen(stores: Stores, events: int) -> list[tuple[str, str]]:
    told: list[tuple[str, str]] = []
    async with aclosing(stores.watch(JOBS, namespace="default")) as watched:
        async for event in watched:
            told.append(("synced", "") if event.synced else (str(event.change), event.object["metadata"]["name"]))
            if len(told) == events:
                break
    return told


async def test_every_reader_is_told_what_is_there_and_what_comes() -> None:
    memory = _Counting()
    await job(memory, "a")
    async with Stores(memory) as stores:
        await stores.follow(JOBS, "default")
        readers = [asyncio.create_task(seen(stores, 4)) for _ in range(3)]
        for _ in range(20):
            await asyncio.sleep(0)
        await job(memory, "b")
        await memory.delete(JOBS, "a", namespace="default")
        for reader in readers:
            assert await reader == [("ADDED", "a"), ("synced", ""), ("ADDED", "b"), ("DELETED", "a")]
    assert memory.watches == 1


async def test_a_reader_from_the_beginning_is_told_in_the_order_of_the_server() -> None:
    memory = _Counting()
    await job(memory, "a")
    async with Stores(memory) as stores:
        assert await seen(stores, 2) == [("ADDED", "a"), ("synced", "")]
        assert await seen(stores, 2) == [("ADDED", "a"), ("synced", "")]
    assert memory.watches == 1


async def test_listeners_and_what_is_kept() -> None:
    memory = _Counting()
    await job(memory, "a")
    told: list[WatchEvent] = []
    async with Stores(memory, keep={JOBS: lambda item: {"metadata": {"name": item["metadata"]["name"]}}}) as stores:
        await stores.follow(JOBS, "default", told.append)
        await stores.follow(JOBS, "default", told.append)
    assert told == [WatchEvent(Change.ADDED, {"metadata": {"name": "a"}}), SYNCED, told[0], SYNCED]


async def test_the_bookkeeping_of_field_managers_is_not_kept() -> None:
    memory = _Counting()
    await job(memory, "a")
    async with Stores(memory) as stores, aclosing(stores.watch(JOBS, namespace="default")) as watched:
        first = await anext(watched)
        assert "managedFields" not in first.object["metadata"]


async def test_a_refusal_reaches_every_reader_and_the_next_one_asks_again() -> None:
    memory = _Counting()
    memory.refused = Forbidden("list jobs: no", status=403)
    async with Stores(memory) as stores:
        with pytest.raises(Forbidden):
            await stores.follow(JOBS, "default")
        with pytest.raises(Forbidden):
            await seen(stores, 1)
        memory.refused = None
        assert await seen(stores, 1) == [("synced", "")]


class _Breaking(Memory):
    """A watch that ends with a refusal when it is told to, and misses what happens until it is asked again."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = asyncio.Event()

    async def watch(self, resource: Resource, **options: Any) -> AsyncGenerator[WatchEvent]:
        async with aclosing(super().watch(resource, **options)) as events:
            while True:
                coming = asyncio.ensure_future(anext(events))
                breaking = asyncio.ensure_future(self.broken.wait())
                try:
                    await asyncio.wait([coming, breaking], return_when=asyncio.FIRST_COMPLETED)
                    if breaking.done():
                        raise Forbidden("watch jobs: no", status=403)
                    yield coming.result()
                finally:
                    coming.cancel()
                    breaking.cancel()
                    await asyncio.gather(coming, breaking, return_exceptions=True)


async def test_a_listener_hears_of_an_interruption_and_of_all_that_changed_meanwhile() -> None:
    memory = _Breaking()
    for name in ("stays", "goes", "replaced"):
        await job(memory, name)
    told: list[str] = []

    def listen(event: WatchEvent) -> None:
        what = event.interrupted or ("synced" if event.synced else f"{event.change} {event.object['metadata']['name']}")
        told.append(what)

    async with Stores(memory) as stores:
        await stores.follow(JOBS, "default", listen)
        assert told == ["ADDED stays", "ADDED goes", "ADDED replaced", "synced"]
        told.clear()
        memory.broken.set()
        for _ in range(20):
            await asyncio.sleep(0)
        assert told == ["watch jobs: no"]
        memory.broken.clear()
        await memory.delete(JOBS, "goes", namespace="default")
        await memory.delete(JOBS, "replaced", namespace="default")
        await job(memory, "replaced")
        await job(memory, "new")
        told.clear()
        # Whoever reads it next gets what was known and the difference, and begins the following anew for all.
        difference = [
            ("DELETED", "replaced"),
            ("ADDED", "replaced"),
            ("ADDED", "new"),
            ("DELETED", "goes"),
            ("synced", ""),
        ]
        known = [("ADDED", name) for name in ("stays", "goes", "replaced")]
        assert await seen(stores, 8) == known + difference
        assert told == [f"{change} {name}".strip() for change, name in difference]
        told.clear()
        await job(memory, "later")
        for _ in range(20):
            await asyncio.sleep(0)
        assert told == ["ADDED later"]


async def test_nothing_is_followed_after_the_end() -> None:
    memory = _Counting()
    async with Stores(memory) as stores:
        await stores.follow(JOBS, "default")
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert any(name.startswith("store-jobs") for name in names)
    assert not any(task.get_name().startswith("store-") for task in asyncio.all_tasks())
