"""What a command waited for when its time was up, and what it had heard of that."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from knavtool.engines.local.control_plane.health import until_healthy
from knavtool.engines.local.processes.processes import tail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from knavtool.engines.local.state.layout import ClusterFiles

_LINES = 3


class Awaited:
    """Remembers, of each wait that was given up, what was waited for and the last that was heard of it."""

    def __init__(self) -> None:
        self._given_up: dict[str, str] = {}

    @contextmanager
    def waiting(self, what: str, last: Callable[[], str]) -> Iterator[None]:
        """Run a block that waits for `what`; `last` tells what is missing, if the block does not come to its end."""
        try:
            yield
        except BaseException:
            # Now and not later: what it reads may be removed with a cluster that did not come up.
            self._given_up.setdefault(what, last())
            raise
        self._given_up.pop(what, None)

    async def healthy(self, files: ClusterFiles, process: str, url: str) -> None:
        """Wait until a process of the cluster answers 200 at `url`; bounded by the caller."""
        heard = ["was not asked yet"]

        def last() -> str:
            log = tail(files.log(process), _LINES)
            return f"{url} {heard[-1]}" + (f"; its log ends with\n{_indented(log)}" if log else "; its log is empty")

        with self.waiting(process, last):
            await until_healthy(url, heard=lambda reason: heard.__setitem__(-1, reason))

    def missing(self) -> str:
        """The waits that were given up, one or more lines each, indented; "" if there are none."""
        return "\n".join(f"  {what}: {last}" for what, last in self._given_up.items())


def _indented(text: str) -> str:
    return "\n".join(f"    | {line}" for line in text.splitlines())
