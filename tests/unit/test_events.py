"""Steps and the events they tell."""

from __future__ import annotations

import asyncio

import pytest

from knavtool.errors import NotFound
from knavtool.events import Event, Listeners, Noted, Result, StepEnded, StepProgressed, Steps, StepStarted
from support.events import ignore


def ends(events: list[Event]) -> list[tuple[Result, str]]:
    return [(event.result, event.message) for event in events if isinstance(event, StepEnded)]


def test_a_step_tells_start_progress_notes_and_end_in_order() -> None:
    events: list[Event] = []
    times = iter([1.0, 4.0])
    with Steps(events.append, clock=lambda: next(times)).step("task", "job", "SubmitObj") as step:
        step.progress(1, 2, "half")
        step.note("look", warning=True)
        step.message, step.data["created"] = "done", 2
    assert events == [
        StepStarted(step=step.id, parent=None, kind="task", name="job", at=1.0, detail="SubmitObj"),
        StepProgressed(step=step.id, done=1, total=2, detail="half"),
        Noted(message="look", step=step.id, warning=True),
        StepEnded(step=step.id, result=Result.OK, at=4.0, message="done", data={"created": 2}),
    ]


def test_nested_steps_name_their_parent_and_share_the_clock() -> None:
    events: list[Event] = []
    with Steps(events.append, clock=lambda: 7.0).step("run", "run") as outer:
        outer.nested().note("inside")
        with outer.nested().step("task", "inner") as inner:
            pass
    started = [event for event in events if isinstance(event, StepStarted)]
    assert [(event.step, event.parent, event.at) for event in started] == [
        (outer.id, None, 7.0),
        (inner.id, outer.id, 7.0),
    ]
    assert Noted(message="inside", step=outer.id) in events


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NotFound("no such pod"), (Result.FAILED, "no such pod")),
        (ValueError("bad"), (Result.FAILED, "bad")),
        (ValueError(), (Result.FAILED, "ValueError")),
        (ExceptionGroup("two", [NotFound("first"), ValueError("the one to tell")]), (Result.FAILED, "the one to tell")),
        (asyncio.CancelledError(), (Result.CANCELLED, "")),
        (KeyboardInterrupt(), (Result.CANCELLED, "")),
    ],
)
def test_an_error_ends_the_step_and_travels_on(error: BaseException, expected: tuple[Result, str]) -> None:
    events: list[Event] = []
    with pytest.raises(type(error)), Steps(events.append).step("task", "job"):
        raise error
    assert ends(events) == [expected]


def test_a_message_given_before_the_error_stays() -> None:
    events: list[Event] = []

    def work() -> None:
        with Steps(events.append).step("task", "job") as step:
            step.message = "while writing node 7"
            raise ValueError("raw")

    with pytest.raises(ValueError, match="raw"):
        work()
    assert ends(events) == [(Result.FAILED, "while writing node 7")]


def test_a_failed_check_is_a_result_and_raises_nothing() -> None:
    events: list[Event] = []
    with Steps(events.append).step("task", "check") as step:
        step.result = Result.FAILED
    assert ends(events) == [(Result.FAILED, "")]


def test_nobody_has_to_listen() -> None:
    with Steps(ignore).step("task", "job") as step:
        step.progress(1, 1)


def test_a_listener_that_raises_is_told_nothing_more_and_stops_neither_the_work_nor_the_others() -> None:
    before, after, broken = [], [], []

    def raising(event: Event) -> None:
        broken.append(event)
        if len(broken) == 2:
            raise OSError(28, "No space left on device")

    listeners = Listeners(before.append, raising, after.append)
    steps = Steps(listeners)
    with steps.step("task", "job") as step:
        step.progress(1, 2)
        step.progress(2, 2)
    assert before == after
    assert [len(before), len(broken)] == [4, 2]
    assert [(listener, str(error)) for listener, error in listeners.failures] == [
        (raising, "[Errno 28] No space left on device")
    ]


def test_steps_go_on_whatever_their_only_listener_does() -> None:
    def raising(_: Event) -> None:
        raise KeyError("a fault of a view")

    with Steps(raising).step("task", "job") as step, step.nested().step("write", "inner") as inner:
        inner.note("still there")
    assert step.result is Result.OK
