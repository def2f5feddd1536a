"""What went wrong while a run was undone: collected, so that the rest is undone all the same, and told by cause."""

from __future__ import annotations

from asyncio import CancelledError
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from knavtool.errors import ClusterError, DeadlineExceeded, KnavError, leaves
from knavtool.kube.concurrency import for_each

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

T = TypeVar("T")
_MOST_CAUSES = 20


class Failures:
    """Errors, each with the object it is about; `nest` adds those of a part, also the ones to come."""

    def __init__(self) -> None:
        self._own: list[tuple[str, Exception]] = []
        self._parts: list[Failures] = []

    def __bool__(self) -> bool:
        return bool(self.errors())

    def errors(self) -> list[tuple[str, Exception]]:
        """All, each with the object it is about, or nothing."""
        return [*self._own, *(each for part in self._parts for each in part.errors())]

    def nest(self, part: Failures) -> None:
        """Let the failures of a part be these too."""
        self._parts.append(part)

    @contextmanager
    def kept(self, about: str = "") -> Iterator[None]:
        """Keep the errors of the block, and go on behind it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - what comes behind must be done, whatever it was
            self._own += [(about, one) for one in leaves(error)]

    @contextmanager
    def of_what_stays(self, summary: Callable[[], str]) -> Iterator[None]:
        """Run a block that waits until things are gone; if it is cut off, keep what `told` says of those that stay."""
        try:
            yield
        except CancelledError:
            if still := summary():
                self._own.append(("", DeadlineExceeded(still)))
            raise

    async def for_each(
        self, items: Iterable[T], work: Callable[[T], Awaitable[object]], *, named: Callable[[T], str]
    ) -> None:
        """Await `work(item)` for all items, as `concurrency.for_each` does, and keep the errors."""

        async def attempt(item: T) -> None:
            try:
                await work(item)
            except ClusterError as error:
                self._own.append((named(item), error))
                raise  # it may be a reason not to try the others
            except Exception as error:  # noqa: BLE001 - see above
                self._own += [(named(item), one) for one in leaves(error)]

        await for_each(items, attempt)

    def faults(self) -> list[Exception]:
        """The internal errors."""
        return [error for _, error in self.errors() if not isinstance(error, KnavError)]

    def hint(self) -> str:
        """What to try against the first that tells it."""
        return next((error.hint for _, error in self.errors() if isinstance(error, KnavError) and error.hint), "")

    def lines(self) -> list[str]:
        """One line per cause, with the object it was met at, or with how many."""
        causes: dict[str, list[tuple[str, Exception]]] = {}
        for about, error in self.errors():
            causes.setdefault(_cause(about, error), []).append((about, error))
        lines = [_line(met) for met in causes.values()]
        return lines[:_MOST_CAUSES] + ([f"and {len(lines) - _MOST_CAUSES} more"] if len(lines) > _MOST_CAUSES else [])


def _cause(about: str, error: Exception) -> str:
    if isinstance(error, ClusterError) and error.cause:
        return error.cause
    return f"{about}: {_said(error)}"


def _line(met: list[tuple[str, Exception]]) -> str:
    about, error = met[0]
    more = f" and {len(met) - 1} more" if len(met) > 1 else ""
    return f"{about}{more}: {_said(error)}" if about else _said(error)


def _said(error: Exception) -> str:
    return error.message if isinstance(error, KnavError) else f"internal error: {type(error).__name__}: {error}"
