"""Executes a plan: task by task in order, then the cleanup; every step is told as events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from knavtool.errors import ClusterError, KnavError
from knavtool.events import Result
from knavtool.workflow.cleanup import undo
from knavtool.workflow.ledger import Ledger
from knavtool.workflow.task import Context

if TYPE_CHECKING:
    from knavtool.events import Step, Steps
    from knavtool.kube.gateway import Gateway
    from knavtool.workflow.plan import PlannedWorkflow
    from knavtool.workflow.rendering import RenderedPlan
    from knavtool.workflow.task import Submission, Task

_AFTER_FAILURE = "an earlier task failed"
_AFTER_INTERRUPTION = "the run was interrupted"


async def execute(
    rendered: RenderedPlan, gateway: Gateway, *, steps: Steps, cleanup: bool, cleanup_timeout: float
) -> bool:
    """Run the plan; True if every check passed.

    Raises what the API refused, or CancelledError when interrupted, in both cases after the cleanup.
    """
    ledger = Ledger(restores=cleanup)
    name = ", ".join(workflow.name for workflow in rendered.plan.workflows)
    with steps.step("run", name) as run:
        runner = _Runner(rendered, gateway, ledger, steps)
        failure: BaseException | None = None
        try:
            passed = await runner.run(run)
        except BaseException as error:  # noqa: BLE001 - raised again after the cleanup, which every error needs
            passed, failure = False, error
        if cleanup:
            await _clean_up(ledger, gateway, run, cleanup_timeout, raises=passed)
        elif isinstance(failure, asyncio.CancelledError) and (left := ledger.summary()):
            run.note(f"interrupted without --cleanup; left behind: {left}", warning=True)
        if failure is not None:
            raise failure
        if not passed:
            run.result = Result.FAILED
        return passed


async def _clean_up(ledger: Ledger, gateway: Gateway, run: Step, timeout: float, *, raises: bool) -> None:
    """Undo in a task of its own, because this one may be cancelled already; a second interruption ends it."""
    undoing = asyncio.create_task(undo(ledger, gateway, steps=run.nested(), timeout=timeout), name="cleanup")
    try:
        await asyncio.shield(undoing)
    except asyncio.CancelledError:
        undoing.cancel()
        await asyncio.gather(undoing, return_exceptions=True)
        run.note(f"the cleanup was interrupted; left behind: {ledger.summary() or 'nothing'}", warning=True)
        raise
    except ClusterError:
        # What went wrong first is what the user must know; the cleanup's own failure is in its step.
        if raises:
            raise


class _Runner:
    """The state of one run; two runs in one process share nothing."""

    def __init__(self, rendered: RenderedPlan, gateway: Gateway, ledger: Ledger, steps: Steps) -> None:
        self._rendered = rendered
        self._gateway = gateway
        self._ledger = ledger
        self._clock = steps.clock
        self._submissions: dict[str, Submission] = {}
        self._stopped = ""
        self._failure: BaseException | None = None

    async def run(self, step: Step) -> bool:
        """All workflows in order; after a failure the rest is told as skipped."""
        for workflow in self._rendered.plan.workflows:
            await self._workflow(workflow, step.nested())
        if self._failure is not None:
            raise self._failure
        return not self._stopped

    async def _workflow(self, workflow: PlannedWorkflow, steps: Steps) -> None:
        with steps.step("workflow", workflow.name, str(workflow.file)) as step:
            skipped = bool(self._stopped)
            for task in workflow.tasks:
                await self._task(task, step.nested())
            if skipped:
                step.result, step.message = Result.SKIPPED, self._stopped
            elif isinstance(self._failure, asyncio.CancelledError):
                step.result = Result.CANCELLED
            elif self._stopped:
                step.result = Result.FAILED

    async def _task(self, task: Task, steps: Steps) -> None:
        document = task.document
        try:
            with steps.step("task", document.id, document.type) as step:
                if document.description:
                    step.data["description"] = document.description
                if self._stopped:
                    step.result, step.message = Result.SKIPPED, self._stopped
                    return
                outcome = await task.run(self._context(task, step), self._rendered.plan.scope)
                step.message = outcome.message
                step.data.update(outcome.data)
                if not outcome.passed:
                    step.result = Result.FAILED
                    self._stopped = _AFTER_FAILURE
        except KnavError as error:
            # Kept until the tasks that were skipped have been told.
            self._failure, self._stopped = error, _AFTER_FAILURE
        except asyncio.CancelledError as error:
            self._failure, self._stopped = error, _AFTER_INTERRUPTION
        except BaseExceptionGroup as group:
            known, _ = group.split(KnavError)
            if known is None:
                raise
            self._failure, self._stopped = _first(known), _AFTER_FAILURE

    def _context(self, task: Task, step: Step) -> Context:
        return Context(
            gateway=self._gateway,
            step=step,
            ledger=self._ledger,
            submissions=self._submissions,
            rendering=self._rendered.of(task),
            clock=self._clock,
        )


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
