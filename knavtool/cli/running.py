"""How a command runs its asynchronous body: one event loop, signals that cancel it, one error path."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import typer

from knavtool.errors import ExitCode, primary_error

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SAME_INTERRUPTION = 0.5
"""Seconds. `timeout` and shells send a signal to the process and to its group: one interruption, not two."""


def _nothing() -> None:
    """Nothing is left to do at the end."""


def run_async(body: Coroutine[object, object, T], *, at_end: Callable[[], None] = _nothing) -> T:
    """Run `body` to its end; SIGINT, SIGTERM and SIGHUP cancel it, so that its own cleanup runs before exit code 130.

    A second signal cancels the cleanup too, but no SIGHUP does: a terminal that is closed sends several, and then
    nobody is there who could be impatient. `at_end` is called however the body ended, and no signal disturbs it.
    Of a group of errors from concurrent work the one to blame is raised.
    """
    import asyncio

    interruption = _Interruption()

    async def guarded() -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - always inside a task here
        interruption.cancel = task.cancel
        # One that came between the two halves of a change of handlers would be lost.
        with _held_back(before):
            for number in before:
                loop.add_signal_handler(number, interruption, number)
        if interruption.came:
            task.cancel()
        try:
            return await body
        finally:
            interruption.cancel = None
            with _held_back(before):
                for number in before:
                    loop.remove_signal_handler(number)
                    signal.signal(number, interruption)

    # A signal that comes before there is a loop must not end it half made.
    before = {number: signal.signal(number, interruption) for number in _SIGNALS if _heard(number)}
    try:
        try:
            return asyncio.run(guarded())
        finally:
            at_end()
    except asyncio.CancelledError as error:
        if not interruption.came:
            raise RuntimeError("cancelled, though nobody interrupted it") from error
        raise typer.Exit(int(ExitCode.INTERRUPTED)) from None
    except BaseExceptionGroup as group:
        raise primary_error(group) from group
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _heard(number: signal.Signals) -> bool:
    """Whether a signal may interrupt; `nohup` has SIGHUP ignored."""
    return number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN


@contextmanager
def _held_back(numbers: Iterable[signal.Signals]) -> Iterator[None]:
    """Let signals wait until the block ends; without a handler they would end the process."""
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)


class _Interruption:
    """What signals amount to; `cancel` is called for the first, and for each that asks for more haste."""

    def __init__(self) -> None:
        self.came = False
        self.cancel: Callable[[], object] | None = None
        self._last = 0.0

    def __call__(self, number: int, _: object = None) -> None:
        """Take one signal in."""
        now = time.monotonic()
        if self.came and (number == signal.SIGHUP or now - self._last < _SAME_INTERRUPTION):
            return
        self.came, self._last = True, now
        if self.cancel is not None:
            self.cancel()
