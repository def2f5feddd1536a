"""How a command runs its asynchronous body: one event loop, signals that cancel it, one error path."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, TypeVar

import typer

from knavtool.errors import ExitCode, KnavError, blamed

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_async(body: Coroutine[object, object, T]) -> T:
    """Run `body` to its end; SIGINT and SIGTERM cancel it, so that its own cleanup runs before exit code 130.

    A second signal cancels the cleanup too. Groups of errors from concurrent work are reduced to their first KnavError.
    """
    import asyncio

    interrupted = False

    def remember(*_: object) -> None:
        nonlocal interrupted
        interrupted = True

    async def guarded() -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - always inside a task here

        def cancel() -> None:
            remember()
            task.cancel()

        for number in _SIGNALS:
            loop.add_signal_handler(number, cancel)
        if interrupted:
            task.cancel()
        try:
            return await body
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    # A signal that comes before there is a loop must not end it half made.
    before = {number: signal.signal(number, remember) for number in _SIGNALS}
    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        if not interrupted:
            raise
        raise typer.Exit(int(ExitCode.INTERRUPTED)) from None
    except BaseExceptionGroup as group:
        told = blamed(group)
        if not isinstance(told, KnavError):
            raise
        raise told from group
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
