"""Pause: with a terminal, without one, with and without a timeout."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import UsageError
from knavtool.events import Noted
from knavtool.workflow.task import Outcome, Terminal
from support.memory import Memory
from support.workflows import Bench, planned, task


class _Keyboard:
    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.pressed = asyncio.Event()

    async def enter(self, prompt: Callable[[], None]) -> None:
        prompt()
        self.asked.set()
        await self.pressed.wait()


async def pause(directory: Path, terminal: Terminal | None, *told: Any, **params: Any) -> Outcome:
    emit = told[0].append if told else lambda _: None
    bench = Bench(Memory(), emit=emit, terminal=terminal)
    return await bench.run(planned(directory, task("Pause", "it", **params)), "it")


async def test_enter(tmp_path: Path) -> None:
    keyboard, told = _Keyboard(), []
    waiting = asyncio.create_task(pause(tmp_path, keyboard, told))
    await keyboard.asked.wait()
    assert [event.message for event in told if isinstance(event, Noted)] == ["press Enter to go on"]
    keyboard.pressed.set()
    assert (await waiting).message == "Enter was pressed"


async def test_nobody_presses_it(tmp_path: Path) -> None:
    told: list[Any] = []
    outcome = await pause(tmp_path, _Keyboard(), told, timeout="10ms")
    assert (outcome.passed, outcome.message) == (True, "continued after 0.01 s")
    assert "press Enter to go on, or wait 0.01 s" in [getattr(event, "message", "") for event in told]


async def test_without_a_terminal_time_passes(tmp_path: Path) -> None:
    outcome = await pause(tmp_path, None, timeout="10ms")
    assert outcome.message == "continued after 0.01 s (no terminal)"


async def test_an_interruption_ends_it(tmp_path: Path) -> None:
    keyboard = _Keyboard()
    waiting = asyncio.create_task(pause(tmp_path, keyboard))
    await keyboard.asked.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_without_terminal_and_timeout_it_fails_before_the_run(tmp_path: Path) -> None:
    tasks = planned(tmp_path, task("Pause", "a"), task("Pause", "b", timeout="1s"), task("Pause", "c", timeout="0s"))
    found = [(violation.path, violation.message) for one in tasks.tasks() for violation in one.task.without_terminal()]
    assert [path for path, _ in found] == ["tasks[0].params", "tasks[2].params"]
    assert found[0][1].startswith("Pause waits for the Enter key, but there is no terminal; give it a timeout")
    with pytest.raises(UsageError, match="there is no terminal"):
        await pause(tmp_path, None)
