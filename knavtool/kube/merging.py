"""Several watches as one."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from knavtool.kube.gateway import SYNCED

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from knavtool.kube.gateway import WatchEvent
    from knavtool.kube.resource import Resource
    from knavtool.kube.store import Watcher


async def watch_all(watcher: Watcher, places: Iterable[tuple[Resource, str | None]]) -> AsyncGenerator[WatchEvent]:
    """The events of several kinds and namespaces as one stream: SYNCED comes once, when all of them are known.

    Which kind an object is of does not show; its uid tells it from all others. Ends with the first failure.
    """
    places = list(dict.fromkeys(places))
    if len(places) == 1:
        async with aclosing(watcher.watch(places[0][0], namespace=places[0][1])) as only:
            async for event in only:
                yield event
        return
    events: asyncio.Queue[WatchEvent | BaseException] = asyncio.Queue()

    async def forward(resource: Resource, namespace: str | None) -> None:
        try:
            async with aclosing(watcher.watch(resource, namespace=namespace)) as stream:
                async for event in stream:
                    events.put_nowait(event)
        except BaseException as error:
            events.put_nowait(error)
            raise

    unknown = len(places)
    tasks = [asyncio.create_task(forward(*place), name=f"watch-{place[0]}-{place[1]}") for place in places]
    try:
        if not places:
            yield SYNCED
        while True:
            received = await events.get()
            if isinstance(received, BaseException):
                raise received
            if received.synced:
                unknown -= 1
            if not received.synced or not unknown:
                yield received
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
