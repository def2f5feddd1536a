"""What this machine and its processes use, and how late this one's event loop is. Linux tells the first two alone."""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TICK = 0.1
"""Seconds between looks at the event loop."""
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process uses: resident memory, and processor time since its start."""

    memory_bytes: int
    cpu_seconds: float


def usage(number: int) -> Usage | None:
    """What a process uses at this moment; None if it has ended, or this is no Linux. Costs 20 microseconds."""
    try:
        # After the name, which may hold anything, the fields of proc(5) from the third on.
        fields = (_PROC / str(number) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    if fields[0] in "ZX":
        return None
    user, system, pages = int(fields[11]), int(fields[12]), int(fields[21])
    return Usage(pages * os.sysconf("SC_PAGE_SIZE"), (user + system) / os.sysconf("SC_CLK_TCK"))


def busy_seconds() -> float | None:
    """How long all processors together have been busy since the machine started; None if this is no Linux."""
    try:
        with (_PROC / "stat").open() as file:
            ticks = [int(word) for word in file.readline().split()[1:9]]
    except OSError:
        return None
    idle, waiting = 3, 4
    return (sum(ticks) - ticks[idle] - ticks[waiting]) / os.sysconf("SC_CLK_TCK")


def cores(number: int = 0) -> int:
    """The processors that a process may use, without its number this one; raises OSError if it has ended."""
    return len(os.sched_getaffinity(number)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LoopLag:
    """The longest that the event loop kept anything waiting, in seconds; `worst` of all, `take()` since the last."""

    def __init__(self) -> None:
        self.worst = 0.0
        self._since = 0.0

    def take(self) -> float:
        """The longest since this was last called."""
        since, self._since = self._since, 0.0
        return since

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure until the block ends; inside a running event loop."""
        watching = asyncio.create_task(self._watch(), name="loop lag")
        try:
            yield
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK
            await asyncio.sleep(TICK)
            late = loop.time() - due
            self._since = max(self._since, late)
            self.worst = max(self.worst, late)
