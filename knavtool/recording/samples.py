"""What processes, the machine and the event loop do, second by second, and what is told of them once."""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from knavtool.measure.load import TOOL
from knavtool.usage import busy_seconds, cores, usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from knavtool.settings.tunables import Tuned

    Write = Callable[..., None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A process of the cluster; `settings` are what differs between installations, nothing secret.

    `changed` is what its user set, which differs from the record of its component. `tunables` are what bounds how fast
    it works, none if its record does not say.
    """

    name: str
    version: str
    settings: str
    changed: str = ""
    tunables: tuple[Tuned, ...] = ()


class Samples:
    """Writes what each process has used so far; nothing where there is no /proc.

    `processes` gives their numbers by name, each time anew, because they may have been started again. `lag` gives the
    longest time that the event loop was late since it was last asked.
    """

    def __init__(
        self, write: Write, *, lag: Callable[[], float], processes: Callable[[], Mapping[str, int]] | None = None
    ) -> None:
        self._write = write
        self._lag = lag
        self._processes = processes
        self._cores = cores()

    def take(self) -> None:
        """Take one sample; costs 50 microseconds per process."""
        numbers = {TOOL: os.getpid(), **(self._processes() if self._processes is not None else {})}
        for name, number in numbers.items():
            if (used := usage(number)) is not None:
                cpu = round(used.cpu_seconds, 2)
                self._write(fact="process", process=name, cpu=cpu, memory=used.memory_bytes)
        if (busy := busy_seconds()) is not None:
            self._write(fact="machine", cores=self._cores, busy=round(busy, 2))
        self._write(fact="loop", lag=round(self._lag(), 6))


def tell_once(write: Write, environment: Mapping[str, object], components: Iterable[Component] = ()) -> None:
    """Write where the run takes place, and what runs there."""
    write(fact="environment", **environment)
    for one in components:
        write(fact="component", **_told(one))


def _told(one: Component) -> dict[str, Any]:
    tunables = [{key: value for key, value in asdict(each).items() if value} for each in one.tunables]
    return {**asdict(one), "tunables": tunables}


async def every(seconds: float, *work: Callable[[], object]) -> None:
    """Do the work now and again every so many seconds, until cancelled; what could not be done in time is left out."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        for one in work:
            one()
        due = max(due + seconds, loop.time())
        await asyncio.sleep(due - loop.time())
