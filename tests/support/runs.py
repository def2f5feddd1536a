"""Made-up runs with a clock that only moves when it is told to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.events import Result, Steps
from knavtool.report.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from knavtool.events import Emit, Event, Step

EPOCH = 1_700_000_000.0  # 2023-11-14T22:13:20Z
MISMATCH = "Job default/job-1: 1 field differs\n  status.succeeded: expected 1, is absent"


class Clock:
    """Seconds that stand still."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def stepping(emit: Emit, clock: Clock) -> Steps:
    """Steps that tell one listener."""
    return Steps(emit, clock=clock)


def tell(steps: Steps, clock: Clock) -> None:
    """A run of two workflows: four tasks of which one fails and one is skipped, and a cleanup; 6.25 s."""
    with steps.step("run", "run") as run:
        with run.nested().step("workflow", "first", "first.yml") as workflow:
            with workflow.nested().step("task", "register", "RegisterObj"):
                clock.now += 0.25
            with workflow.nested().step("task", "job", "SubmitObj") as task:
                with task.nested().step("objects", "create", "2 objects") as objects:
                    clock.now += 1
                    objects.progress(1, 2)
                    clock.now += 1
                    objects.progress(2, 2)
                task.note("a note")
        with run.nested().step("workflow", "second", "second.yml") as workflow:
            with workflow.nested().step("task", "check", "CheckObj") as task:
                clock.now += 3
                task.result, task.message = Result.FAILED, MISMATCH
            with workflow.nested().step("task", "later", "Sleep") as task:
                task.result, task.message = Result.SKIPPED, "an earlier task failed"
            workflow.result = Result.FAILED
        with run.nested().step("cleanup", "cleanup") as cleanup:
            clock.now += 1
            cleanup.message = "2 objects removed"
        run.result = Result.FAILED


ROUNDS = 20
BAD_ROUNDS = (7, 13)


def tell_everything(steps: Steps, clock: Clock) -> None:
    """A run with a parallel block, many rounds, tolerated failures, skipped tasks and a cleanup.

    46 tasks: 42 ok, 3 failed, 1 skipped; beside them a block that failed by itself and the cleanup: 48 cases.
    """
    with steps.step("run", "everything") as run:
        about = {"description": "All that\na workflow can hold"}
        with run.nested().step("workflow", "mixed", "mixed.yml", data=about) as workflow:
            _task(workflow, clock, "register", "RegisterObj", 0.25, line=4, description="Name the *template*")
            _task(workflow, clock, "tolerated", "CheckObj", 1, Result.FAILED, MISMATCH, line=9)
            with (
                workflow.nested().step("block", "both", "Parallel") as block,
                block.nested().step("round", "left") as left,
                block.nested().step("round", "right") as right,
            ):
                _task(left, clock, "job", "SubmitObj", 2, message="53 Jobs created, 26/s", line=14)
                _task(right, clock, "wait", "Sleep", 0.5, line=17)
            with workflow.nested().step("block", "sizes", "Repeat") as block:
                for number in range(1, ROUNDS + 1):
                    with block.nested().step("round", f"round {number}") as each:
                        _task(each, clock, "job", "SubmitObj", 0.5, line=22)
                        if number in BAD_ROUNDS:
                            message = f"1 of 2 pods | `are` <Running>\n  job{number}-0: Pending"
                            _task(each, clock, "check", "CheckPod", 1, Result.FAILED, message, line=27)
                            each.result = block.result = Result.FAILED
                        else:
                            _task(each, clock, "check", "CheckPod", 0.25, message="2 of 2 pods are Running", line=27)
            workflow.result = Result.FAILED
        with run.nested().step("workflow", "later", "later.yml") as workflow:
            with workflow.nested().step("block", "late", "Repeat") as block:
                _task(block, clock, "in time", "Sleep", 0.1)
                block.result, block.message = Result.FAILED, "not done after 30 s"
            _task(workflow, clock, "never", "Sleep", 0, Result.SKIPPED, "an earlier task failed")
            workflow.result = Result.FAILED
        with run.nested().step("cleanup", "cleanup") as cleanup:
            clock.now += 1
            cleanup.message = "93 Jobs removed"
        run.data.update(requests=1234, retries=3, qps=500)
        run.result = Result.FAILED


def _task(
    parent: Step,
    clock: Clock,
    name: str,
    type_: str,
    seconds: float,
    result: Result = Result.OK,
    message: str = "",
    **data: object,
) -> None:
    with parent.nested().step("task", name, type_, data=data) as task:
        clock.now += seconds
        task.result, task.message = result, message


def record_run() -> Recorder:
    """The record of that run."""
    return recorded(tell)


def record_everything() -> Recorder:
    """The record of a run with everything in it."""
    return recorded(tell_everything)


def recorded(story: Callable[[Steps, Clock], None]) -> Recorder:
    """The record of what a story tells."""
    clock = Clock()
    recorder = Recorder(epoch=EPOCH, clock=clock)
    story(stepping(recorder, clock), clock)
    return recorder


def events_of_run() -> Iterable[Event]:
    """The events of that run."""
    events: list[Event] = []
    clock = Clock()
    tell(stepping(events.append, clock), clock)
    return events
