"""One run on the server: its state, what it has told, and its way from the queue to its end."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
import uuid
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from knavtool.errors import ExitCode, KnavError, exit_code, primary_error
from knavtool.events import Listeners, StepProgressed, Steps
from knavtool.measure.reading import NAME
from knavtool.report.facts import Facts
from knavtool.report.recorder import Recorder
from knavtool.server import wire
from knavtool.server.feeding import Feeding
from knavtool.server.log import Log
from knavtool.server.models import Counts, Fault, Options, RunStatus, State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from knavtool.events import Event
    from knavtool.workflow.plan import Plan

_SAID_AT_END = "The run has ended; this page holds the whole report."

logger = logging.getLogger(__name__)

CarryOut: TypeAlias = "Callable[[Plan, Options, Steps, Facts, Path | None], Awaitable[bool]]"
"""Executes a plan on the server's cluster; False if a check failed, and fills in the facts. Raises KnavError.

If a directory is given, the run is recorded there.
"""


class Run:
    """A run and all that belongs to it; two runs share nothing."""

    def __init__(self, plan: Plan, options: Options, recordings: Path | None = None) -> None:
        self.id = uuid.uuid4().hex
        self._directory = recordings / self.id if recordings is not None else None
        self.page = Feeding(self._directory / NAME, _SAID_AT_END) if self._directory is not None else None
        self.name = ", ".join(workflow.name for workflow in plan.workflows)
        self.log = Log()
        self.recorder = Recorder(epoch=time.time() - time.monotonic())
        self.facts = Facts()
        self._listeners = Listeners(self.recorder, self._log)
        self._plan: Plan | None = plan
        self._options = options
        self._state = State.QUEUED
        self._position: int | None = None
        self._created = time.time()
        self._started: float | None = None
        self._ended: float | None = None
        self._exit_code: ExitCode | None = None
        self._error: Fault | None = None
        self._task: asyncio.Task[bool] | None = None
        self._feeding: asyncio.Task[None] | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self._state.ended

    @property
    def status(self) -> RunStatus:
        """What there is to say about it now."""
        workflows = (workflow for root in self.recorder.roots for workflow in root.find("workflow"))
        tasks = [task for workflow in workflows for task in workflow.find("task")]
        counted = Counter(task.result.value if task.result is not None else "running" for task in tasks)
        return RunStatus(
            id=self.id,
            name=self.name,
            state=self._state,
            position=self._position,
            created=self._created,
            started=self._started,
            ended=self._ended,
            epoch=self.recorder.epoch,
            counts=Counts(**counted),
            facts=self.facts,
            exit_code=self._exit_code,
            error=self._error,
        )

    def wait_at(self, position: int) -> None:
        """Tell the place in the queue."""
        if position != self._position:
            self._position = position
            self._tell_status()

    async def execute(self, carry_out: CarryOut) -> None:
        """Run to the end, whatever it is; raises nothing but CancelledError, after the run has been interrupted."""
        assert self._plan is not None  # noqa: S101 - it is given up at the end only
        self._state, self._position, self._started = State.RUNNING, None, time.time()
        self._tell_status()
        steps = Steps(self._listeners)
        self._task = asyncio.ensure_future(carry_out(self._plan, self._options, steps, self.facts, self._directory))
        if self.page is not None:
            self._feeding = asyncio.create_task(self.page.feed(), name="feed")
        try:
            await asyncio.wait([self._task])
        except asyncio.CancelledError:
            # Nobody waits for the cleanup any longer.
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._end(State.CANCELLED, ExitCode.INTERRUPTED)
            raise
        if self._task.cancelled():
            self._end(State.CANCELLED, ExitCode.INTERRUPTED)
        elif (error := self._task.exception()) is not None:
            self._fail(error)
        elif self._task.result():
            self._end(State.PASSED, ExitCode.OK)
        else:
            self._end(State.FAILED, ExitCode.CHECK_FAILED)

    def cancel(self) -> None:
        """End it; one that is running cleans up first, as after an interruption. A second time changes nothing."""
        if self._state is State.QUEUED:
            self._end(State.CANCELLED, ExitCode.INTERRUPTED)
        elif self._state is State.RUNNING and self._task is not None:
            self._state = State.CANCELLING
            self._tell_status()
            self._task.cancel()

    def forget(self) -> None:
        """Remove what was recorded, and show it to nobody any more."""
        if self._feeding is not None:
            self._feeding.cancel()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _log(self, event: Event) -> None:
        name, data = wire.encode(event)
        self.log.append(name, data, progress_of=event.step if isinstance(event, StepProgressed) else None)

    def _fail(self, error: BaseException) -> None:
        primary = primary_error(error)
        if isinstance(primary, KnavError):
            self._error = Fault(message=primary.message, hint=primary.hint)
        else:
            logger.error("run %s: internal error", self.id, exc_info=error)
            self._error = Fault(
                message=f"internal error on the server: {type(primary).__name__}: {primary}",
                hint="please report it with the traceback in the server's log",
            )
        self._end(State.ERROR, exit_code(error))

    def _end(self, state: State, exit_code: ExitCode) -> None:
        self._state, self._exit_code = state, exit_code
        self._position, self._ended, self._plan = None, time.time(), None
        if self.page is not None:
            self.page.end()
        for _, error in self._listeners.failures:
            logger.error("run %s: internal error: its events are not complete", self.id, exc_info=error)
        self._tell_status()
        self.log.close()

    def _tell_status(self) -> None:
        self.log.append(wire.STATUS, self.status.model_dump(mode="json", by_alias=True))
