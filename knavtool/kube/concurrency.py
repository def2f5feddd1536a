"""Many requests at once, with a bound."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from knavtool.errors import ClusterError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

T = TypeVar("T")

WIDTH = 32
"""Requests in flight: more do not make one API server on a few cores faster, they only wait there."""

_LAST_TRIES = 15.0
"""Seconds; as long as it takes the API server to give up a webhook that does not answer, and a little more."""


async def for_each(
    items: Iterable[T],
    work: Callable[[T], Awaitable[object]],
    *,
    width: int = WIDTH,
    stop_on_error: bool = False,
) -> list[tuple[T, ClusterError]]:
    """Await `work(item)` for all items, at most `width` at a time; returns the refused items with their errors.

    `items` is consumed lazily. With `stop_on_error` no further item is started after the first refusal, and in any case
    not after Unreachable: that was retried for a minute, and so would be each of the rest. After another error that was
    retried until patience ended, as that of a dead webhook, the others get `_LAST_TRIES` until one goes through.
    Errors other than ClusterError cancel the rest and are raised.
    """
    pending = iter(items)
    refused: list[tuple[T, ClusterError]] = []
    hopeless = False
    in_vain: float | None = None  # since when nothing went through
    clock = asyncio.get_running_loop().time

    async def worker() -> None:
        nonlocal hopeless, in_vain
        for item in pending:
            try:
                await work(item)
            except ClusterError as error:
                refused.append((item, error))
                hopeless = hopeless or stop_on_error or isinstance(error, Unreachable)
                if error.given_up:
                    in_vain = clock() if in_vain is None else in_vain
                    hopeless = hopeless or clock() - in_vain > _LAST_TRIES
            else:
                in_vain = None
            if hopeless:
                return

    async with asyncio.TaskGroup() as group:
        for number in range(width):
            group.create_task(worker(), name=f"for_each-{number}")
    return refused
