"""What a stream of events amounts to."""

from __future__ import annotations

import pytest

from knavtool.errors import DocumentError
from knavtool.events import Noted, Result, StepEnded, StepId, StepStarted
from knavtool.report.recorder import Recorder, failures
from support.runs import Clock, record_run, stepping


def test_nesting_times_and_data() -> None:
    recorder, clock = Recorder(), Clock()
    steps = stepping(recorder, clock)
    with steps.step("run", "run") as run:
        clock.now += 1
        with run.nested().step("task", "job", "SubmitObj") as task:
            task.progress(3, 10, "3 objects")
            clock.now += 2.5
            task.data["objects"] = 10
            task.message = "10 created"
        run.note("about the run", warning=True)
    record = recorder.record
    (task_record,) = record.children
    assert (record.kind, record.seconds) == ("run", 3.5)
    assert (task_record.name, task_record.detail, task_record.seconds) == ("job", "SubmitObj", 2.5)
    assert (task_record.done, task_record.total, task_record.progress_detail) == (3, 10, "3 objects")
    assert (task_record.message, task_record.data) == ("10 created", {"objects": 10})
    assert [(note.message, note.warning) for note in record.notes] == [("about the run", True)]


def test_an_open_step_has_no_result() -> None:
    recorder = Recorder()
    recorder(StepStarted(step=StepId(1), parent=None, kind="task", name="open", at=1.0))
    assert recorder.record.result is None
    assert recorder.record.seconds is None


def test_what_belongs_to_an_unknown_step_goes_to_the_top() -> None:
    recorder = Recorder()
    recorder(StepStarted(step=StepId(1), parent=StepId(99), kind="task", name="orphan", at=1.0))
    recorder(Noted(message="hello", step=StepId(98)))
    recorder(StepEnded(step=StepId(97), result=Result.OK, at=2.0))
    assert [root.name for root in recorder.roots] == ["orphan"]
    assert [note.message for note in recorder.record.notes] == ["hello"]


def test_reading_the_record_changes_nothing() -> None:
    recorder = Recorder()
    recorder(Noted(message="early"))
    with stepping(recorder, Clock()).step("run", "run"):
        pass
    assert recorder.record == recorder.record
    assert [note.message for note in recorder.record.notes] == ["early"]


def test_several_roots_become_one_record_with_the_worst_result() -> None:
    recorder, clock = Recorder(), Clock()
    for name, result in (("a", Result.OK), ("b", Result.FAILED), ("c", Result.CANCELLED)):
        with stepping(recorder, clock).step("task", name) as step:
            clock.now += 1
            step.result = result
    record = recorder.record
    assert (record.result, record.seconds, len(record.children)) == (Result.FAILED, 3.0, 3)


def test_an_error_fails_every_step_it_leaves_but_began_in_one() -> None:
    recorder = Recorder()
    steps = stepping(recorder, Clock())
    with pytest.raises(DocumentError), steps.step("run", "outer") as outer, outer.nested().step("task", "inner"):
        raise DocumentError("no such file")
    record = recorder.record
    assert record.result is record.children[0].result is Result.FAILED
    assert [failure.name for failure in failures(record)] == ["inner"]


def test_find_does_not_look_below_a_match() -> None:
    record = record_run().record
    assert [workflow.name for workflow in record.find("workflow")] == ["first", "second"]
    assert [task.name for workflow in record.find("workflow") for task in workflow.find("task")] == [
        "register",
        "job",
        "check",
        "later",
    ]
