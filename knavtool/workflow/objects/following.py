"""Follows objects until a check is decided: one loop of events for all checks that count them."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol

from knavtool.kube.gateway import Change
from knavtool.workflow.task import BETWEEN_SIGNS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from knavtool.kube.gateway import WatchEvent
    from knavtool.kube.resource import Manifest
    from knavtool.workflow.objects.limits import Limit
    from knavtool.workflow.task import Context


class Tallied(Protocol):
    """What a check knows of its objects."""

    async def put(self, live: Manifest) -> None:
        """An object is new or has changed."""

    def drop(self, uid: str) -> None:
        """An object is gone."""

    def progress(self) -> tuple[int, int, str]:
        """How many are as expected, of how many, and how the others are if that can be said in a word."""

    async def decided(self) -> bool:
        """Whether the verdict is clear."""


async def follow(events: AsyncGenerator[WatchEvent, None], tallied: Tallied, limit: Limit, context: Context) -> bool:
    """Feed events until the verdict is clear; that is asked when all that is there has been seen, and after each event.

    Tells the progress of the step at most every `BETWEEN_SIGNS` seconds. False if the events end before.
    """
    synced = False
    reported = -BETWEEN_SIGNS
    async with aclosing(events):
        async for event in events:
            synced = synced or event.synced
            if event.change is Change.DELETED:
                tallied.drop(event.object["metadata"]["uid"])
            elif not event.synced:
                await tallied.put(event.object)
            if not synced:
                continue
            if (now := context.clock()) - reported >= BETWEEN_SIGNS:
                reported = now
                context.step.progress(*tallied.progress())
            if await tallied.decided():
                return True
            limit.looked()
    return False
