"""Made-up runs with a clock that only moves when it is told to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.events import Result, Steps
from knavtool.report.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from knavtool.events import Emit, Event

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


def record_run() -> Recorder:
    """The record of that run."""
    recorder = Recorder(epoch=EPOCH)
    clock = Clock()
    tell(stepping(recorder, clock), clock)
    return recorder


def events_of_run() -> Iterable[Event]:
    """The events of that run."""
    events: list[Event] = []
    clock = Clock()
    tell(stepping(events.append, clock), clock)
    return events
