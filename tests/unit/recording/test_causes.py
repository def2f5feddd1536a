"""Which request caused what a watch told of a pod."""

from __future__ import annotations

import pytest

from knavtool.recording.causes import Life, Write


def write(at: float, verb: str, resource: str = "pods", uid: str = "", took: float = 0.002) -> Write:
    return Write(at, at - took, verb, resource, uid)


CREATE = write(1.0, "create", uid="u")
BIND = write(1.1, "create", "pods/binding")
RUN = write(1.2, "patch", "pods/status")
END = write(1.3, "patch", "pods/status")
FINALIZE = write(1.4, "patch")
DELETE = write(1.5, "delete")
REMOVE = write(1.6, "delete")


def causes(facts: list[tuple[str, float]], writes: list[Write]) -> list[Write | None]:
    """The cause of each fact, and that moments never go back nor come after they were seen."""
    life, found, last = Life("u"), [], 0.0
    for event, seen in facts:
        cause = life.cause(event, seen, writes)
        at = life.note(event, seen, cause)
        assert last <= at <= seen
        last = at
        found.append(cause)
    return found


LIFE = ["created", "bound", "running", "ready", "unready", "succeeded", "deleting", "deleted"]
CAUSES = [CREATE, BIND, RUN, RUN, END, END, DELETE, REMOVE]
WRITES = [CREATE, BIND, RUN, END, FINALIZE, DELETE, REMOVE]
SEEN = [1.01, 1.11, 1.21, 1.21, 1.31, 1.31, 1.51, 1.61]


def test_a_life_that_is_told_at_once() -> None:
    assert causes(list(zip(LIFE, SEEN, strict=True)), WRITES) == CAUSES


def test_a_life_of_which_the_watch_tells_everything_late_and_together() -> None:
    late = [(event, 2.5 + number * 0.00001) for number, event in enumerate(LIFE)]
    assert causes(late, WRITES) == CAUSES


def test_requests_in_another_order() -> None:
    mixed = [DELETE, RUN, CREATE, FINALIZE, END, BIND]
    found = causes([("created", 1.01), ("bound", 1.11), ("deleting", 1.51)], mixed)
    assert found == [CREATE, BIND, DELETE]


def test_a_watch_can_be_faster_than_the_answer() -> None:
    slow = Write(1.3, 1.0, "create", "pods", "u")
    binding = Write(1.2, 1.1, "create", "pods/binding", "")
    assert causes([("created", 1.05), ("bound", 1.15)], [slow, binding]) == [slow, binding]


def test_a_request_that_came_after_the_event_did_not_cause_it() -> None:
    assert causes([("running", 1.1)], [RUN]) == [None]
    assert causes([("created", 1.01), ("running", 1.21)], [CREATE, END]) == [CREATE, None]


def test_a_pod_of_the_same_name_is_another() -> None:
    other = write(1.0, "create", uid="v")
    assert causes([("created", 1.01)], [other]) == [None]
    # What the first one of that name went through.
    before = [write(0.5, "create", "pods/binding"), write(0.6, "delete")]
    assert causes([("created", 1.01), ("bound", 1.11)], [*before, CREATE]) == [CREATE, None]


def test_what_changed_nothing_that_is_recorded_is_passed_over() -> None:
    long_before = write(0.5, "patch", "pods/status")
    now = write(9.0, "patch", "pods/status")
    assert causes([("running", 9.01)], [long_before, now]) == [now]


def test_a_watch_that_is_far_behind_gets_the_latest() -> None:
    assert causes([("running", 20.0)], [RUN]) == [RUN]


def test_how_late_a_watch_is_can_be_known() -> None:
    life = Life("u")
    assert life.cause("running", 20.0, [RUN, END], recent=60.0) == RUN
    assert life.cause("running", 20.0, [RUN, END]) == END


def test_one_event_tells_several_facts() -> None:
    gated = [("created", 1.01), ("gated", 1.01001)]
    assert causes(gated, [CREATE]) == [CREATE, CREATE]
    preempting = write(1.1, "patch", "pods/status")
    again = write(1.15, "patch", "pods/status")
    facts = [("nominated", 1.16), ("unschedulable", 1.16001), ("unschedulable", 1.16002)]
    assert causes(facts, [preempting, again]) == [preempting, preempting, again]


def test_created_does_not_lend_its_request_to_what_followed_at_once() -> None:
    assert causes([("created", 1.3), ("unschedulable", 1.30001), ("bound", 1.30002)], [CREATE]) == [CREATE, None, None]


@pytest.mark.parametrize("event", ["disrupted", "deleting", "deleted"])
def test_an_eviction(event: str) -> None:
    eviction = write(1.2, "create", "pods/eviction")
    assert causes([(event, 1.21)], [BIND, eviction]) == [eviction]


def test_the_last_finalizer_ends_a_pod() -> None:
    assert causes([("deleting", 1.11), ("deleted", 1.5)], [write(1.1, "delete"), FINALIZE])[1] == FINALIZE
