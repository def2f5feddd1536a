"""What is counted of a run that goes on."""

from __future__ import annotations

import pytest

from knavtool.recording.pulse import KEPT, Beat, Pulse

GPU = {"nvidia.com/gpu": 8}


def node(name: str, event: str = "seen", gpus: float = 8, *, ready: bool = True) -> dict[str, object]:
    return {"fact": "node", "event": event, "name": name, "allocatable": {"nvidia.com/gpu": gpus}, "ready": ready}


def pod(uid: str, event: str, **more: object) -> dict[str, object]:
    return {"fact": "pod", "event": event, "uid": uid, **more}


class Run:
    """A pulse, and seconds that pass."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pulse = Pulse(lambda: self.now)

    def tell(self, *facts: dict[str, object]) -> None:
        for fact in facts:
            self.pulse.take(fact)

    def beat(self, seconds: float = 1.0) -> Beat:
        self.now += seconds
        self.pulse.sample()
        return self.pulse.beats[-1]


def test_a_pod_takes_gpus_from_its_binding_to_its_end() -> None:
    run = Run()
    run.tell(node("a"), node("b"), pod("1", "created", requests=GPU))
    assert run.beat() == Beat(allocated=0, allocatable=16, pending=1, rate=0)
    run.tell(pod("1", "bound", node="a"), pod("1", "running"))
    assert run.beat(0.5) == Beat(allocated=8, allocatable=16, pending=0, rate=2)
    assert run.pulse.beats[-1].occupancy == 0.5
    run.tell(pod("1", "succeeded"))
    assert run.beat() == Beat(allocated=0, allocatable=16, pending=0, rate=0)
    run.tell(pod("1", "deleting"), pod("1", "deleted"))
    assert run.beat() == Beat(allocated=0, allocatable=16, pending=0, rate=0)


@pytest.mark.parametrize("end", ["deleted", "failed"])
def test_a_pod_without_a_node_waits_until_it_is_gone(end: str) -> None:
    run = Run()
    run.tell(pod("1", "created", requests=GPU), pod("1", "gated"), pod("1", "unschedulable", reason="full"))
    assert run.beat().pending == 1
    run.tell(pod("1", end))
    assert run.beat() == Beat(allocated=0, allocatable=0, pending=0, rate=0)


def test_a_pod_that_was_there_before_counts_but_not_as_a_binding() -> None:
    run = Run()
    run.tell(node("a"), pod("1", "created", requests=GPU, late=True), pod("1", "bound", node="a", late=True))
    assert run.beat() == Beat(allocated=8, allocatable=8, pending=0, rate=0)


def test_nodes_count_while_they_are_ready() -> None:
    run = Run()
    run.tell(node("a"), node("b"), node("b", "changed", ready=False))
    assert run.beat().allocatable == 8
    run.tell(node("b", "changed", gpus=4), {"fact": "node", "event": "deleted", "name": "a"})
    assert run.beat().allocatable == 4
    run.tell({"fact": "node", "event": "deleted", "name": "b"})
    assert run.beat().occupancy is None


def test_what_it_does_not_know_changes_nothing() -> None:
    run = Run()
    run.tell(pod("1", "bound", node="a"), pod("1", "deleted"), {"fact": "object", "event": "created", "uid": "1"})
    assert run.beat() == Beat(allocated=0, allocatable=0, pending=0, rate=0)


def test_it_forgets_pods_that_are_gone_and_old_samples() -> None:
    run = Run()
    for number in range(1000):
        run.tell(pod(str(number), "created", requests=GPU), pod(str(number), "bound", node="a"))
        run.tell(pod(str(number), "deleted"))
        run.beat()
    assert not run.pulse._pods
    assert len(run.pulse.beats) == KEPT
