"""The runs of a server: one at a time on its cluster, the others in the order in which they came."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from knavtool.server.models import Options, Wait
from knavtool.server.runs import CarryOut, Run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from knavtool.workflow.plan import Plan

logger = logging.getLogger(__name__)


class Refused(Exception):
    """The queue takes no run now."""


class Busy(Refused):
    """Another run uses the cluster, and the client does not want to wait."""


class Full(Refused):
    """As many runs wait as may wait."""


class Draining(Refused):
    """The server is about to end."""


class Queue:
    """Made by `open_queue`; `limit` runs may wait, and `keep` of those that have ended are remembered.

    Runs are recorded below `recordings`, if that is given, and kept there as long as they are remembered.
    """

    def __init__(self, carry_out: CarryOut, *, limit: int, keep: int, recordings: Path | None = None) -> None:
        self._carry_out = carry_out
        self._recordings = recordings
        self._limit = limit
        self._keep = keep
        self._runs: dict[str, Run] = {}
        self._waiting: deque[Run] = deque()
        self._current: Run | None = None
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.draining = False

    def runs(self) -> list[Run]:
        """All that are remembered, the oldest first."""
        return list(self._runs.values())

    def get(self, id_: str) -> Run | None:
        """The run of an id, if it is remembered."""
        return self._runs.get(id_)

    def check(self, wait: Wait) -> None:
        """Raises Refused if `add` would."""
        if self.draining:
            raise Draining
        before = len(self._waiting) + (self._current is not None)
        if wait is Wait.REFUSE and before:
            raise Busy
        if before > self._limit:
            raise Full

    def add(self, plan: Plan, options: Options, wait: Wait) -> Run:
        """Put a run at the end; raises Refused."""
        self.check(wait)
        run = Run(plan, options, self._recordings)
        self._runs[run.id] = run
        self._waiting.append(run)
        self._moved()
        self._arrived.set()
        self._idle.clear()
        logger.info("run %s (%s) queued", run.id, run.name)
        return run

    def cancel(self, run: Run) -> None:
        """End a run; if it is running, its cleanup comes first."""
        if not run.ended:
            logger.info("run %s (%s) is cancelled", run.id, run.name)
        run.cancel()
        if run in self._waiting:
            self._waiting.remove(run)
            self._moved()
            self._forget()

    async def drain(self, seconds: float) -> None:
        """Take no more runs and cancel those that wait; the one that runs may end within `seconds`, then it too."""
        self.draining = True
        for run in list(self._waiting):
            self.cancel(run)
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            self.hurry()
            await self._idle.wait()

    def hurry(self) -> None:
        """Cancel the run that is running; its cleanup still takes its time."""
        if self._current is not None:
            self.cancel(self._current)

    async def work(self) -> None:
        """Execute the runs one after the other, for ever."""
        while True:
            while not self._waiting:
                self._idle.set()
                self._arrived.clear()
                await self._arrived.wait()
            self._current = run = self._waiting.popleft()
            self._moved()
            logger.info("run %s (%s) started", run.id, run.name)
            try:
                await run.execute(self._carry_out)
            finally:
                self._current = None
            logger.info("run %s (%s) %s", run.id, run.name, run.status.state)
            self._forget()

    def _moved(self) -> None:
        for position, run in enumerate(self._waiting, int(self._current is not None)):
            run.wait_at(position)

    def _forget(self) -> None:
        ended = [run for run in self._runs.values() if run.ended]
        for run in ended[: max(len(ended) - self._keep, 0)]:
            del self._runs[run.id]
            run.forget()


@asynccontextmanager
async def open_queue(
    carry_out: CarryOut, *, limit: int, keep: int, recordings: Path | None = None
) -> AsyncIterator[Queue]:
    """A queue that works until the block ends."""
    queue = Queue(carry_out, limit=limit, keep=keep, recordings=recordings)
    working = asyncio.create_task(queue.work(), name="queue")
    try:
        yield queue
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        for run in queue.runs():
            run.forget()
