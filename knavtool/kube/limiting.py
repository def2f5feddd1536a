"""A rate limit for requests."""

from __future__ import annotations

import asyncio


class RateLimit:
    """A token bucket: `qps` requests per second on average, `burst` at once; qps 0 means no limit."""

    def __init__(self, qps: float, burst: int) -> None:
        self._interval = 1.0 / qps if qps > 0 else 0.0
        self._tolerance = self._interval * max(burst - 1, 0)
        self._next = 0.0

    async def acquire(self) -> None:
        """Wait until the next request may go out."""
        if not self._interval:
            return
        now = asyncio.get_running_loop().time()
        due = max(self._next, now)
        self._next = due + self._interval
        if (delay := due - self._tolerance - now) > 0:
            await asyncio.sleep(delay)
