"""What a report says about where a run took place, and how busy this process was; nothing secret."""

from __future__ import annotations

import platform
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.usage import LoopLag, cores

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    cores: int = field(default_factory=cores)
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
        loop = LoopLag()
        wall, cpu = time.monotonic(), time.process_time()
        try:
            with loop.measured():
                yield
        finally:
            self.lag = max(self.lag, loop.worst)
            self.wall += time.monotonic() - wall
            self.cpu += time.process_time() - cpu
