"""What a run has told so far, for readers who may come late, leave, and come back."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

from knavtool.server import wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from knavtool.events import StepId

HEARTBEAT = b": still there\n\n"


_SPARSE = 1000
"""So many places of progress that was overtaken are kept before they are taken out."""


class _Entry(NamedTuple):
    id: int
    frame: bytes  # empty if it told a progress that a later one has overtaken


class Log:
    """Messages in their order, encoded once for all readers. It belongs to one event loop.

    Of the progress of a step only the last is kept, so that the log of a long run does not grow with it.
    """

    def __init__(self, *, heartbeat: float = 15.0) -> None:
        self._entries: list[_Entry] = []
        self._progress: dict[StepId, int] = {}  # where the entry of a step is
        self._overtaken = 0
        self._last = 0
        self._heartbeat = heartbeat
        self._grown = asyncio.Event()
        self._closed = asyncio.Event()

    def append(self, name: str, data: dict[str, Any], *, progress_of: StepId | None = None) -> None:
        """Tell one message to all readers; a later progress of the same step takes its place."""
        self._last += 1
        if progress_of is not None:
            self._overtake(progress_of)
            self._progress[progress_of] = len(self._entries)
        self._entries.append(_Entry(self._last, wire.frame(wire.Message(self._last, name, data))))
        self._wake()

    def close(self) -> None:
        """Nothing more will be told."""
        self._compact()
        self._closed.set()
        self._wake()

    async def closed(self) -> None:
        """Wait until nothing more will be told."""
        await self._closed.wait()

    async def follow(self, after: int = 0) -> AsyncIterator[bytes]:
        """The messages behind a number, then those to come, until the log is closed; comments while there are none."""
        while True:
            grown = self._grown
            for entry in self._entries[bisect_right(self._entries, after, key=lambda entry: entry.id) :]:
                after = entry.id
                if entry.frame:
                    yield entry.frame
            if grown is not self._grown:
                continue  # something was told while the reader was busy
            if self._closed.is_set():
                return
            try:
                async with asyncio.timeout(self._heartbeat):
                    await grown.wait()
            except TimeoutError:
                yield HEARTBEAT

    def _overtake(self, step: StepId) -> None:
        place = self._progress.get(step)
        if place is None:
            return
        self._entries[place] = _Entry(self._entries[place].id, b"")
        self._overtaken += 1
        # Not one by one, and not before half of all is empty: that would cost more with every message.
        if self._overtaken > max(_SPARSE, len(self._entries) // 2):
            self._compact()

    def _compact(self) -> None:
        ids = {self._entries[place].id: step for step, place in self._progress.items()}
        self._entries = [entry for entry in self._entries if entry.frame]
        self._overtaken = 0
        self._progress = {ids[entry.id]: place for place, entry in enumerate(self._entries) if entry.id in ids}

    def _wake(self) -> None:
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()
