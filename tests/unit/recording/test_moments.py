"""Facts that wait for the audit log: what is held back, for how long, and what becomes of moments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from knavtool.recording.file import Recording
from knavtool.recording.moments import HOLD, Moments, Request
from support.recordings import facts_of

EPOCH = 1_700_000_000.0


class Log:
    """An audit log in memory; times are given in seconds since the recording began."""

    def __init__(self) -> None:
        self.trouble = ""
        self.new: list[Request] = []

    def add(self, at: float, verb: str, resource: str, *, name: str = "p", uid: str = "", code: int = 200) -> None:
        time = EPOCH + at
        self.new.append(Request(time, time - 0.001, "kube-scheduler", verb, resource, "a", name, uid, code))

    def read(self) -> list[Request]:
        new, self.new = self.new, []
        return new


class World:
    """A recording whose clock is turned by hand; `wall` is what the wall clock is off."""

    def __init__(self, directory: Path) -> None:
        self.now = 0.0
        self.wall = 0.0
        self.log = Log()
        # The client's monotonic clock has begun somewhere.
        self.recording = Recording(directory / "recording.jsonl.gz", clock=lambda: 5000.0 + self.now, epoch=0)
        self.moments = Moments(self.recording, wall=lambda: EPOCH + self.now + self.wall)
        self.moments.use(self.log)

    def pod(self, event: str, at: float, *, name: str = "p", **more: Any) -> None:
        self.now = at
        self.moments.write(fact="pod", event=event, uid=f"uid-{name}", namespace="a", name=name, **more)

    def settle(self, at: float, *, last: bool = False) -> bool:
        self.now = at
        return self.moments.settle(last=last)

    def facts(self, *kinds: str) -> list[dict[str, Any]]:
        self.recording.flush()
        return [fact for fact in facts_of(self.recording.path) if fact["fact"] in kinds]

    def pods(self) -> list[tuple[str, float, float | None]]:
        return [(fact["event"], fact["at"], fact.get("seen")) for fact in self.facts("pod")]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_moments_are_those_of_the_requests(world: World) -> None:
    world.pod("created", 1.1)
    world.pod("bound", 1.2)
    world.log.add(1.0, "create", "pods", uid="uid-p", code=201)
    assert world.settle(1.3), "bound waits for its request"
    world.log.add(1.15, "create", "pods/binding", code=201)
    assert not world.settle(1.4)
    assert world.pods() == [("created", 1.0, 1.1), ("bound", 1.15, 1.2)]
    assert world.facts("clock") == [{"fact": "clock", "at": 0, "clock": "audit"}]


def test_a_fact_whose_request_does_not_come_is_written_after_a_while(world: World) -> None:
    world.pod("created", 1.0)
    world.pod("bound", 1.5)
    assert world.settle(1.0 + HOLD)
    assert world.pods() == []
    world.settle(1.1 + HOLD)
    assert world.pods() == [("created", 1.0, None)]
    world.log.add(1.4, "create", "pods/binding", code=201)
    world.settle(1.2 + HOLD)
    assert world.pods()[1:] == [("bound", 1.4, 1.5)]


def test_facts_of_a_pod_keep_their_order_and_others_do_not_wait(world: World) -> None:
    world.pod("created", 1.0)
    world.pod("bound", 1.1)
    world.pod("created", 1.1, name="q")
    world.log.add(1.05, "create", "pods/binding")
    world.log.add(1.05, "create", "pods", name="q", uid="uid-q")
    world.moments.write(fact="note", message="now")
    world.settle(1.2)
    assert [fact["name"] for fact in world.facts("pod")] == ["q"]
    assert world.facts("note")[0]["at"] == 1.1
    world.settle(1.3, last=True)
    assert [(fact["name"], fact["event"]) for fact in world.facts("pod")] == [
        ("q", "created"),
        ("p", "created"),
        ("p", "bound"),
    ]


def test_what_was_true_before_is_not_given_a_moment(world: World) -> None:
    world.log.add(0.5, "create", "pods/binding")
    world.pod("created", 1.0, late=True)
    world.pod("bound", 1.0, late=True)
    world.moments._recording.write = lambda **fact: written.append(fact)  # type: ignore[method-assign]
    written: list[dict[str, Any]] = []
    world.settle(1.1)
    pods = [fact for fact in written if fact["fact"] == "pod"]
    assert [(fact["event"], fact["at"], fact["seen"]) for fact in pods] == [
        ("created", 1.0, None),
        ("bound", 1.0, None),
    ]


def test_requests_that_failed_cause_nothing_but_are_counted(world: World) -> None:
    world.log.add(1.05, "create", "pods/binding", code=409)
    world.log.add(1.06, "create", "pods/binding", code=409)
    world.log.add(2.01, "get", "pods")
    world.pod("bound", 1.1)
    world.settle(1.2)
    assert world.pods() == []
    counted = [(one["at"], one["agent"], one["verb"], one["resource"], one["count"]) for one in world.facts("requests")]
    assert counted == [(1, "kube-scheduler", "create", "pods/binding", 2), (2, "kube-scheduler", "get", "pods", 1)]


def test_without_an_audit_log_facts_are_written_at_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.moments.use(None, "no log")
    world.pod("created", 1.0)
    assert world.pods() == [("created", 1.0, None)]
    assert not world.settle(2.0)
    assert [(one["clock"], one.get("reason")) for one in world.facts("clock")] == [("audit", None), ("watch", "no log")]


@pytest.mark.parametrize("hours", [-3, 3])
def test_clocks_that_differ_by_hours_are_noticed(world: World, hours: int) -> None:
    for number in range(3):
        at = float(number)
        world.log.add(at + 0.1 + hours * 3600, "create", "pods", name=f"p{number}", uid=f"uid-p{number}")
        world.pod("created", at + 0.2, name=f"p{number}")
        world.settle(at + 0.9)
    assert world.pods() == [("created", 0.2, None), ("created", 1.2, None), ("created", 2.2, None)]
    first, second = world.facts("clock")
    assert (first["clock"], second["clock"]) == ("audit", "watch")
    assert "not those of this machine's clock" in second["reason"]


def test_a_wall_clock_that_is_set_once_costs_the_moments_of_that_second(world: World) -> None:
    def second(at: float) -> None:
        name = f"p{at}"
        world.log.add(at + 0.1 + world.wall, "create", "pods", name=name, uid=f"uid-{name}")
        world.pod("created", at + 0.2, name=name)

    second(0)
    world.settle(0.9)
    second(1)
    world.wall = 3600
    world.settle(1.9)
    second(2)
    world.settle(2.9)
    assert world.pods() == [("created", 0.1, 0.2), ("created", 1.2, None), ("created", 2.1, 2.2)]
    assert len(world.facts("clock")) == 1


def test_a_watch_that_was_far_behind_is_expected_to_be_so_again(world: World) -> None:
    world.log.add(1.0, "create", "pods", uid="uid-p")
    world.log.add(1.2, "create", "pods/binding")
    world.log.add(1.3, "patch", "pods/status")
    world.log.add(1.8, "patch", "pods/status")
    for event, seen in (("created", 8.0), ("bound", 8.2), ("running", 8.4), ("succeeded", 8.6)):
        world.pod(event, seen)
    world.settle(8.7)
    assert [at for _, at, _ in world.pods()] == [1.0, 1.2, 1.3, 1.8]


def test_trouble_is_told_once(world: World) -> None:
    world.log.trouble = "a line is missing"
    world.settle(1)
    world.settle(2)
    assert [(note["message"], note["warning"]) for note in world.facts("note")] == [("a line is missing", True)]


def test_nothing_is_kept_of_what_is_long_ago(world: World) -> None:
    for number in range(100):
        name = f"p{number}"
        world.log.add(number, "create", "pods", name=name, uid=f"uid-{name}")
        world.pod("created", number + 0.1, name=name)
        world.pod("deleted", number + 0.2, name=name)
        world.log.add(number + 0.15, "delete", "pods", name=name)
        world.settle(number + 0.3)
    world.settle(200)
    assert (world.moments._writes, world.moments._pods, world.moments._holding) == ({}, {}, {})
    assert len(world.pods()) == 200
