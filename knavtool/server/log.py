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


class _Entry(NamedTuple):
    id: int
    step: StepId | None  # of which the entry tells the progress
    frame: bytes


class Log:
    """Messages in their order, encoded once for all readers. It belongs to one event loop."""

    def __init__(self, *, heartbeat: float = 15.0) -> None:
        self._entries: list[_Entry] = []
        self._last = 0
        self._heartbeat = heartbeat
        self._grown = asyncio.Event()
        self._closed = asyncio.Event()

    def append(self, name: str, data: dict[str, Any], *, progress_of: StepId | None = None) -> None:
        """Tell one message to all readers; a later progress of the same step may take its place."""
        self._last += 1
        self._entries.append(_Entry(self._last, progress_of, wire.frame(wire.Message(self._last, name, data))))
        self._wake()

    def close(self) -> None:
        """Nothing more will be told. Of the progress of each step only the last is kept."""
        last = {entry.step: entry.id for entry in self._entries}
        self._entries = [entry for entry in self._entries if entry.step is None or last[entry.step] == entry.id]
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

    def _wake(self) -> None:
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()
