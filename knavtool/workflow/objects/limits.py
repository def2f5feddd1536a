"""How long a check goes on: as long as its timeout says, but not before it has looked once.

A verdict about what was never seen would be a guess, on a busy machine also a wrong one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from knavtool.errors import DeadlineExceeded

if TYPE_CHECKING:
    from types import TracebackType

    from knavtool.workflow.task import Context

_FIRST_LOOK = 10.0
"""Seconds that the first look may take, however short the timeout is."""


class Limit:
    """The time for a block that looks until something is as expected; `looked` is to be called after each look.

    The block ends without an error when the time is up. If it had not looked once by then, it raises DeadlineExceeded,
    which names `what` it should have looked at.
    """

    def __init__(self, timeout: float | None, what: str, context: Context) -> None:
        self._seconds = timeout
        self._what = what
        self._context = context
        self._looked = False

    async def __aenter__(self) -> Self:
        self._began = asyncio.get_running_loop().time()
        self._timeout = asyncio.timeout(max(self._seconds, _FIRST_LOOK) if self._seconds is not None else None)
        await self._timeout.__aenter__()
        return self

    def looked(self) -> None:
        """Let the timeout count, now that a verdict is possible."""
        if not self._looked and self._seconds is not None:
            self._looked = True
            self._timeout.reschedule(self._began + self._seconds)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            if self._looked:
                return True
            spent = asyncio.get_running_loop().time() - self._began
            raise DeadlineExceeded(
                f"{self._what} could not be read within {spent:.3g} s{self._context.heard()}",
                hint="whether the check would have passed is not known",
            ) from None
        return False
