"""The parts of a page that shows a run while it goes on, and those who look at it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson

from knavtool.server.log import HEARTBEAT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Live:
    """What the page consists of now, encoded once for all who look. It belongs to one event loop.

    Each gets everything first, then what changes; one that is slow misses what was overtaken.
    """

    def __init__(self, *, heartbeat: float = 15.0) -> None:
        self._parts: dict[str, tuple[int, bytes]] = {}
        self._state = b""
        self._version = 0
        self._ended = False
        self._heartbeat = heartbeat
        self._changed = asyncio.Event()
        self._someone = asyncio.Event()
        self._nobody = asyncio.Event()
        self._nobody.set()
        self._count = 0

    @property
    def watched(self) -> bool:
        """Whether somebody looks."""
        return self._count > 0

    @property
    def ended(self) -> bool:
        """Whether nothing more will be told."""
        return self._ended

    def put(self, name: str, content: bytes) -> None:
        """Change a part, JSON in one line; nobody is told before `tell`."""
        self._parts[name] = (self._version + 1, b"event: %s\ndata: %s\n\n" % (name.encode(), content))

    def tell(self, kind: str, text: str) -> None:
        """Tell how things stand, and what has changed: `live`, `lost` or, for the last time, `ended`."""
        self._version += 1
        self._state = b"event: state\ndata: %s\n\n" % orjson.dumps({"kind": kind, "text": text})
        self._ended = kind == "ended"
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def someone(self) -> None:
        """Wait until somebody looks."""
        await self._someone.wait()

    async def nobody(self) -> None:
        """Wait until nobody looks."""
        await self._nobody.wait()

    async def follow(self) -> AsyncIterator[bytes]:
        """Server-sent events for one who looks, until the run has ended; comments while there are none."""
        self._count += 1
        self._someone.set()
        self._nobody.clear()
        try:
            seen = 0
            while True:
                changed = self._changed
                if self._version > seen:
                    frames = [frame for version, frame in self._parts.values() if version > seen]
                    seen = self._version
                    # Together, because parts belong to each other.
                    yield b"".join([*frames, self._state])
                    continue
                if self._ended:
                    return
                try:
                    async with asyncio.timeout(self._heartbeat):
                        await changed.wait()
                except TimeoutError:
                    yield HEARTBEAT
        finally:
            self._count -= 1
            if not self._count:
                self._someone.clear()
                self._nobody.set()
