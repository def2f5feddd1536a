"""The terminal of a Pause, on a pseudo terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import select
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from knavtool.cli.terminal import Terminal, find_terminal


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """The side of somebody who types, and that of the program."""
    typist, program = pty.openpty()
    yield typist, program
    for end in (typist, program):
        with contextlib.suppress(OSError):
            os.close(end)


def echoes(descriptor: int) -> bool:
    return bool(termios.tcgetattr(descriptor)[3] & termios.ECHO)


class Waiting:
    """Somebody waits for Enter; `prompted` from when what is typed counts."""

    def __init__(self, terminal: Terminal) -> None:
        self.prompted = asyncio.Event()
        self.task = asyncio.create_task(terminal.enter(self.prompted.set))

    async def answered(self) -> None:
        await asyncio.wait_for(self.task, 10)


@pytest.mark.parametrize("typed", [b"\n", b"\r", b"some words\n", b"\x04"])
async def test_enter_and_the_end_of_input(ends: tuple[int, int], typed: bytes) -> None:
    typist, program = ends
    waiting = Waiting(Terminal(program))
    await waiting.prompted.wait()
    assert not echoes(program)
    os.write(typist, typed)
    await waiting.answered()
    assert echoes(program)


async def test_what_was_typed_before_does_not_count(ends: tuple[int, int]) -> None:
    typist, program = ends
    os.write(typist, b"too early\n")
    # The kernel hands on what was typed a little later; only what has arrived can have come before.
    assert select.select([program], [], [], 10)[0]
    waiting = Waiting(Terminal(program))
    await waiting.prompted.wait()
    assert not echoes(program)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.task.done()
    os.write(typist, b"\n")
    await waiting.answered()


async def test_a_closed_terminal_ends_it(ends: tuple[int, int]) -> None:
    typist, program = ends
    waiting = Waiting(Terminal(program))
    await waiting.prompted.wait()
    assert not echoes(program)
    os.close(typist)
    await waiting.answered()


async def test_an_interruption_gives_the_terminal_back(ends: tuple[int, int]) -> None:
    _, program = ends
    waiting = Waiting(Terminal(program))
    await waiting.prompted.wait()
    assert not echoes(program)
    waiting.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting.task
    assert echoes(program)
    assert not asyncio.get_running_loop().remove_reader(program)


async def test_two_wait_one_after_the_other(ends: tuple[int, int]) -> None:
    typist, program = ends
    terminal = Terminal(program)
    first, second = Waiting(terminal), Waiting(terminal)
    for waiting in (first, second):
        await waiting.prompted.wait()
        assert second.prompted.is_set() is (waiting is second)
        os.write(typist, b"\n")
        await waiting.answered()


def test_only_a_terminal_is_one(monkeypatch: pytest.MonkeyPatch, ends: tuple[int, int]) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert find_terminal() is None
    assert find_terminal() is None
    monkeypatch.setattr(sys, "stdin", None)
    assert find_terminal() is None
    with os.fdopen(os.dup(ends[1])) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        assert find_terminal() is not None
