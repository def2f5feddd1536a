"""Blocking work in a thread that a cancelled task can leave behind.

A thread of asyncio's own pool would keep the process from ending until its read or its lock comes back. A thread here
is a daemon: after a cancel nobody waits for it, and its `Leave` keeps it from changing anything more.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


class Abandoned(Exception):
    """The task that wanted the work is gone."""


class Leave:
    """Permission to go on, which a cancel withdraws."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._withdrawn = False

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the leave while something is changed: a cancel waits for the end of the block, so keep it short."""
        with self._lock:
            if self._withdrawn:
                raise Abandoned
            yield

    def withdraw(self) -> None:
        """From now on `held` raises and `tell` is silent."""
        with self._lock:
            self._withdrawn = True

    def tell(self, listener: Callable[..., object], *arguments: object) -> None:
        """Call `listener` in the event loop's thread."""

        def call() -> None:
            if not self._withdrawn:
                listener(*arguments)

        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody listens
            self._loop.call_soon_threadsafe(call)


async def in_thread(work: Callable[[Leave], T], *, name: str) -> T:
    """Run `work` in a daemon thread; a cancel withdraws its leave and does not wait for it."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    leave = Leave(loop)

    def deliver(setter: Callable[[Any], None], value: object) -> None:
        if not future.done():
            setter(value)

    def body() -> None:
        try:
            value: object = work(leave)
            setter: Callable[[Any], None] = future.set_result
        except BaseException as error:  # noqa: BLE001 - it is raised again in the task that waits
            value, setter = error, future.set_exception
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(deliver, setter, value)

    threading.Thread(target=body, name=name, daemon=True).start()
    try:
        return await future
    finally:
        leave.withdraw()
