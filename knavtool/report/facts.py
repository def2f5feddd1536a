"""What a report says about where a run took place, and how busy this process was; nothing secret."""

from __future__ import annotations

import asyncio
import os
import platform
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TICK = 0.1  # seconds between looks at the event loop
_LINUX = hasattr(os, "sched_getaffinity")


@dataclass(slots=True, kw_only=True)
class Facts:
    """Filled while a command goes on; `server` is the version of the API server, `context` its name in the kubeconfig.

    `cpu`, `wall` and `lag` are seconds: the processor time this process used while it was measured, how long that was,
    and the longest that its event loop kept anything waiting.
    """

    server: str = ""
    context: str = ""
    python: str = field(default_factory=platform.python_version)
    system: str = field(default_factory=lambda: f"{platform.system()} {platform.machine()}")
    cores: int = field(default_factory=lambda: len(os.sched_getaffinity(0)) if _LINUX else os.cpu_count() or 1)
    cpu: float = 0.0
    wall: float = 0.0
    lag: float = 0.0

    @property
    def busy(self) -> float:
        """Processor time over wall time; near 1 the tool itself may have been the limit."""
        return self.cpu / self.wall if self.wall > 0 else 0.0

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure until the block ends; inside a running event loop."""
        wall, cpu = time.monotonic(), time.process_time()
        watching = asyncio.create_task(self._watch_loop(), name="loop lag")
        try:
            yield
        finally:
            watching.cancel()
            self.wall += time.monotonic() - wall
            self.cpu += time.process_time() - cpu

    async def _watch_loop(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _TICK
            await asyncio.sleep(_TICK)
            self.lag = max(self.lag, loop.time() - due)
