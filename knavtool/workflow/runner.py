"""Executes a plan: task by task in order, then the cleanup; every step is told as events."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from knavtool.errors import ClusterError, KnavError, leaves, primary_error
from knavtool.events import Result
from knavtool.kube.resource import PODS
from knavtool.kube.store import Stores
from knavtool.workflow.observing.lives import Lives
from knavtool.workflow.observing.pods import essential
from knavtool.workflow.plan import PlannedTask
from knavtool.workflow.submission import Submissions
from knavtool.workflow.task import Context, Outcome
from knavtool.workflow.thresholds import judge_thresholds
from knavtool.workflow.undoing.cleanup import undo
from knavtool.workflow.undoing.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from knavtool.events import Step, Steps
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.prometheus import Prometheus
    from knavtool.kube.resource import Resource
    from knavtool.kube.store import Keep
    from knavtool.workflow.plan import Branch, Planned, PlannedBlock, PlannedWorkflow
    from knavtool.workflow.rendered import RenderedPlan
    from knavtool.workflow.submission import Submission
    from knavtool.workflow.task import Recorded, Terminal

_AFTER_FAILURE = "an earlier task failed"
_AFTER_INTERRUPTION = "the run was interrupted"


async def execute(
    rendered: RenderedPlan,
    gateway: Gateway,
    *,
    steps: Steps,
    cleanup: bool,
    cleanup_timeout: float,
    terminal: Terminal | None = None,
    prometheus: Prometheus | None = None,
    recorded: Recorded | None = None,
    figures: Callable[[], Mapping[str, object]] = dict,
) -> bool:
    """Run the plan; True if every check passed. `terminal` and `prometheus` are for the tasks that need them.

    `figures` of the gateway become data of the run, and `recorded` takes what becomes of pods and nodes.

    Raises what the API refused, CancelledError when interrupted, or an internal error, always after the cleanup.
    """
    ledger = Ledger(restores=cleanup)
    name = ", ".join(workflow.name for workflow in rendered.plan.workflows)
    with steps.step("run", name) as run:
        failure: BaseException | None = None
        passed = False
        try:
            async with Stores(gateway, keep=_kept(rendered, recorded)) as stores:
                if recorded is not None:
                    kinds = {(version.rpartition("/")[0], kind) for version, kind in rendered.kinds()}
                    for reason in await recorded.cluster.begin(stores, gateway, kinds):
                        run.note(f"nodes are not recorded: {reason}", warning=True)
                passed = await _Runner(rendered, gateway, stores, ledger, steps, terminal, prometheus, recorded).run(
                    run
                )
            if not passed:
                # A check that saw nothing any more does not say that what it expected did not happen.
                failure = gateway.last_failure
        except BaseException as error:  # noqa: BLE001 - raised again after the cleanup, which every error needs
            failure = error
        try:
            if cleanup:
                await _clean_up(ledger, gateway, run, cleanup_timeout, raises=failure is None and passed)
            elif isinstance(failure, asyncio.CancelledError) and (left := ledger.summary()):
                run.note(f"interrupted without --cleanup; left behind: {left}", warning=True)
        finally:
            run.data.update(figures())
        if failure is not None:
            raise failure
        if not passed:
            run.result = Result.FAILED
        return passed


def _kept(rendered: RenderedPlan, recorded: Recorded | None) -> Mapping[Resource, Keep]:
    """Pods are kept in part, unless they are what a run submits itself: a check may compare any field of them."""
    if ("v1", PODS.kind) in rendered.kinds():
        return {}
    keep = partial(essential, labels=rendered.plan.observed.labels)
    return {PODS: keep if recorded is None else lambda pod: recorded.cluster.keep(pod, keep(pod))}


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


@dataclass(frozen=True, slots=True)
class _Ended:
    """How steps ended: whether anything in them failed, and why nothing after them may run, empty if it may."""

    failed: bool = False
    stopped: str = ""


class _Runner:
    """The state of one run; two runs in one process share nothing."""

    def __init__(
        self,
        rendered: RenderedPlan,
        gateway: Gateway,
        stores: Stores,
        ledger: Ledger,
        steps: Steps,
        terminal: Terminal | None,
        prometheus: Prometheus | None,
        recorded: Recorded | None = None,
    ) -> None:
        self._rendered = rendered
        self._gateway = gateway
        self._stores = stores
        self._ledger = ledger
        self._terminal = terminal
        self._prometheus = prometheus
        self._recorded = recorded
        self._clock = steps.clock
        self._submitted: dict[int, Submission] = {}
        self._lives = Lives(steps.clock, rendered.plan.observed.judges)
        self._errors: list[Exception] = []

    async def run(self, step: Step) -> bool:
        """All workflows in order; after a failure the rest is told as skipped. True if nothing failed."""
        failed, stopped = False, ""
        interruption: asyncio.CancelledError | None = None
        for workflow in self._rendered.plan.workflows:
            try:
                ended = await self._workflow(workflow, step.nested(), stopped)
            except asyncio.CancelledError as error:
                interruption, stopped = error, _AFTER_INTERRUPTION
            else:
                failed, stopped = failed or ended.failed, ended.stopped
        if interruption is not None:
            raise interruption
        if self._errors:
            raise primary_error(ExceptionGroup("a run", self._errors))
        return not failed

    async def _workflow(self, workflow: PlannedWorkflow, steps: Steps, stopped: str) -> _Ended:
        about = {"description": workflow.description} if workflow.description else {}
        with steps.step("workflow", workflow.name, str(workflow.file), data=about) as step:
            if stopped:
                step.result, step.message = Result.SKIPPED, stopped
            ended = await self._sequence(workflow.steps, step.nested(), stopped)
            missed = await judge_thresholds(workflow.thresholds, self._recorded, step.nested(), ended.stopped)
            if ended.failed or missed:
                step.result = Result.FAILED
            return replace(ended, failed=ended.failed or missed)

    async def _sequence(self, planned: Iterable[Planned], steps: Steps, stopped: str = "") -> _Ended:
        """Steps in order; those after a failure are told as skipped."""
        failed = False
        interruption: asyncio.CancelledError | None = None
        for item in planned:
            if stopped:
                self._skip(item, steps, stopped)
                continue
            work = self._task(item, steps) if isinstance(item, PlannedTask) else self._block(item, steps)
            try:
                ended = await work
            except asyncio.CancelledError as error:
                # Raised again when the steps that are left have been told.
                interruption, stopped = error, _AFTER_INTERRUPTION
            else:
                failed, stopped = failed or ended.failed, ended.stopped
        if interruption is not None:
            raise interruption
        return _Ended(failed, stopped)

    async def _block(self, block: PlannedBlock, steps: Steps) -> _Ended:
        with steps.step("block", block.document.id, block.kind, data=_about(block)) as step:
            limit = asyncio.timeout(block.timeout)
            try:
                async with limit:
                    ended = await self._branches(block, step)
            except TimeoutError:
                if not limit.expired():
                    raise
                ended = _Ended(failed=True, stopped=_AFTER_FAILURE)
                step.message = f"not done after {block.timeout:g} s, the timeout of the block"
            if ended.failed:
                step.result = Result.FAILED
        return replace(ended, stopped="") if block.continue_on_error else ended

    async def _branches(self, block: PlannedBlock, step: Step) -> _Ended:
        steps = step.nested()
        if block.parallel:
            # A branch that fails does not end the others: each tells what became of it.
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._branch(branch, steps, "")) for branch in block.branches]
            ends = [task.result() for task in tasks]
            stopped = next((ended.stopped for ended in ends if ended.stopped), "")
            return _Ended(any(ended.failed for ended in ends), stopped)
        failed, stopped = False, ""
        for number, branch in enumerate(block.branches, 1):
            ended = await self._branch(branch, steps, stopped)
            failed, stopped = failed or ended.failed, ended.stopped
            step.progress(number, len(block.branches))
        return _Ended(failed, stopped)

    async def _branch(self, branch: Branch, steps: Steps, stopped: str) -> _Ended:
        if not branch.title:
            return await self._sequence(branch.steps, steps, stopped)
        with steps.step("round", branch.title) as step:
            if stopped:
                step.result, step.message = Result.SKIPPED, stopped
            ended = await self._sequence(branch.steps, step.nested(), stopped)
            if ended.failed:
                step.result = Result.FAILED
            return ended

    async def _task(self, planned: PlannedTask, steps: Steps) -> _Ended:
        document = planned.document
        try:
            with steps.step("task", document.id, document.type, data=_about(planned)) as step:
                outcome = await self._outcome(planned, step)
                step.message = outcome.message
                step.data.update(outcome.data)
                if outcome.passed:
                    return _Ended()
                step.result = Result.FAILED
        except Exception as error:  # noqa: BLE001 - raised again when the tasks that are left have been told
            errors = leaves(error)
            # Nobody could foresee an internal error, so nobody tolerates it.
            tolerated = document.continue_on_error and all(isinstance(one, KnavError) for one in errors)
            if not tolerated:
                self._errors += errors
            return _Ended(failed=True, stopped="" if tolerated else _AFTER_FAILURE)
        return _Ended(failed=True, stopped="" if document.continue_on_error else _AFTER_FAILURE)

    async def _outcome(self, planned: PlannedTask, step: Step) -> Outcome:
        seconds = planned.document.timeout
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await planned.task.run(self._context(planned, step), planned.scope)
        except TimeoutError:
            if not limit.expired():
                raise
            return Outcome(passed=False, message=f"not done after {seconds:g} s, the timeout of the task")

    def _skip(self, item: Planned, steps: Steps, reason: str) -> None:
        """Tell that a step does not run, and all that is in it."""
        kind, detail = ("task", item.document.type) if isinstance(item, PlannedTask) else ("block", item.kind)
        with steps.step(kind, item.document.id, detail, data=_about(item)) as step:
            step.result, step.message = Result.SKIPPED, reason
            for branch in () if isinstance(item, PlannedTask) else item.branches:
                for inner in branch.steps:
                    self._skip(inner, step.nested(), reason)

    def _context(self, planned: PlannedTask, step: Step) -> Context:
        return Context(
            gateway=self._gateway,
            step=step,
            ledger=self._ledger,
            submissions=Submissions(planned.scope, self._submitted),
            stores=self._stores,
            lives=self._lives,
            rendering=self._rendered.of(planned.task),
            observed=self._rendered.plan.observed,
            clock=self._clock,
            terminal=self._terminal,
            prometheus=self._prometheus,
            recorded=self._recorded,
        )


def _about(planned: Planned) -> dict[str, object]:
    """What reports say of a step besides what becomes of it: its description, and its line in the file."""
    about: dict[str, object] = {"line": planned.document.line}
    return about | {"description": planned.description} if planned.description else about
