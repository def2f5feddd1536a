"""A rate limit for requests."""

from __future__ import annotations

import asyncio


class RateLimit:
    """A token bucket: `qps` requests per second on average, `burst` at once; qps 0 means no limit."""

    def __init__(self, qps: float = 0, burst: int = 1) -> None:
        self.qps = qps
        self.burst = max(burst, 1)
        self._interval = 1.0 / qps if qps > 0 else 0.0
        self._tolerance = self._interval * (self.burst - 1)
        self._next = 0.0
        self._turn = asyncio.Lock()

    async def acquire(self) -> None:
        """Wait until the next request may go out; who is cancelled meanwhile has taken nothing from those behind."""
        if not self._interval:
            return
        async with self._turn:
            loop = asyncio.get_running_loop()
            if (delay := self._next - self._tolerance - loop.time()) > 0:
                await asyncio.sleep(delay)
            self._next = max(self._next, loop.time()) + self._interval
