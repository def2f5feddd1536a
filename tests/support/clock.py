"""A clock for code that waits: it moves when somebody sleeps, and sleeping takes no time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


class Clock:
    """Stands in for `asyncio` in modules that only sleep and ask the loop for the time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self.while_asleep: Callable[[], Awaitable[None]] | None = None

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if self.while_asleep is not None:
            await self.while_asleep()
        await asyncio.sleep(0)

    def rule(self, monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
        """Make modules wait by this clock."""
        fake: Any = SimpleNamespace(get_running_loop=lambda: self, sleep=self.sleep, Lock=asyncio.Lock)
        for module in modules:
            monkeypatch.setattr(module, "asyncio", fake)
