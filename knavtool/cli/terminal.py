"""The terminal at which somebody may press Enter."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Terminal:
    """Reads a terminal with the event loop, so that waiting for somebody can be cancelled at once."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._turn = asyncio.Lock()

    async def enter(self, prompt: Callable[[], None]) -> None:
        """Call `prompt`, then wait until Enter is pressed or the input ends; what was typed before does not count."""
        async with self._turn:
            loop = asyncio.get_running_loop()
            pressed = loop.create_future()

            def read() -> None:
                try:
                    typed = os.read(self._descriptor, 4096)
                except BlockingIOError:
                    return
                except OSError:
                    typed = b""  # the terminal was closed, which ends the input
                if (not typed or b"\n" in typed) and not pressed.done():
                    pressed.set_result(None)

            with _silent(self._descriptor):
                loop.add_reader(self._descriptor, read)
                try:
                    prompt()
                    await pressed
                finally:
                    loop.remove_reader(self._descriptor)


def find_terminal() -> Terminal | None:
    """The terminal of this process's standard input; None if that is a file, a pipe or nothing."""
    if sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty():
        return None
    return Terminal(sys.stdin.fileno())


@contextmanager
def _silent(descriptor: int) -> Iterator[None]:
    """Do not show what is typed, which would break the live view, and forget what was typed before."""
    try:
        before = termios.tcgetattr(descriptor)
        silent = list(before)
        silent[3] &= ~termios.ECHO
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, silent)
    except termios.error:
        yield  # the terminal was closed; reading it says so
        return
    try:
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
