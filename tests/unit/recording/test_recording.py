"""The recording: what its lines say of pods and nodes, and that the file is whole whatever happens."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import Forbidden
from knavtool.events import Steps
from knavtool.kube.gateway import SYNCED, Change, WatchEvent, interruption
from knavtool.kube.resource import NODES, PODS
from knavtool.kube.store import Stores
from knavtool.recording.cluster import ClusterFacts, recorded, requests
from knavtool.recording.file import Recording
from support.memory import Memory
from support.recordings import facts_of, schema


class Ticks:
    """A clock that moves by a second whenever it is asked."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path / "report" / "recording.jsonl.gz", clock=Ticks(), epoch=1_700_000_000)


def test_a_recording_begins_and_ends(recording: Recording) -> None:
    steps = Steps(recording)
    with steps.step("run", "wf") as run, run.nested().step("task", "job", "SubmitObj") as task:
        task.note("careful", warning=True)
        task.message = "done"
    recording.close()
    first, *facts, last = facts_of(recording.path)
    assert first == {
        "fact": "recording",
        "at": 1,
        "format": 1,
        "began": "2023-11-14T22:15:01+00:00",
    }
    assert [(one.get("event"), one.get("name"), one.get("result")) for one in facts] == [
        ("started", "wf", None),
        ("started", "job", None),
        (None, None, None),
        ("ended", None, "ok"),
        ("ended", None, "ok"),
    ]
    assert facts[1]["parent"] == facts[0]["step"]
    assert facts[2]["warning"]
    assert last["fact"] == "end"
    assert [one["at"] for one in (first, *facts, last)] == list(range(1, 8))


async def test_what_a_second_brought_is_in_the_file(recording: Recording) -> None:
    recording.flush()
    before = facts_of(recording.path)
    recording.write(fact="note", message="now")
    assert facts_of(recording.path) == before
    await asyncio.sleep(1.1)
    assert [one["fact"] for one in facts_of(recording.path)] == ["recording", "note"]
    recording.close()


def test_a_full_disk_ends_the_recording_alone(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    recording.write(fact="note", message="kept")
    recording.flush()
    write = os.write

    def half(file: int, data: bytes) -> int:
        if len(data) > 20:
            return write(file, data[:20])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", half)
    recording.write(fact="note", message="lost")
    recording.flush()
    monkeypatch.undo()
    recording.write(fact="note", message="lost too")
    recording.close()
    assert recording.failure is not None
    assert recording.failure.errno == errno.ENOSPC
    assert [one.get("message") for one in facts_of(recording.path)] == [None, "kept"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    recording = Recording(tmp_path / "file" / "r", clock=Ticks(), epoch=0)
    recording.write(fact="note", message="nowhere")
    recording.close()
    assert recording.failure is not None


def test_the_umask_says_who_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        recording = Recording(tmp_path / "r", clock=Ticks(), epoch=0)
    finally:
        os.umask(before)
    recording.close()
    assert recording.path.stat().st_mode & 0o777 == 0o640


def test_nothing_is_left_of_a_run_that_did_not_begin(recording: Recording) -> None:
    recording.close(keep=False)
    assert not recording.path.exists()


class Facts:
    """Facts of a cluster in memory, as a run gets them."""

    def __init__(self, *, nodes: bool = False) -> None:
        self.memory = Memory()
        self.written: list[dict[str, Any]] = []
        self.facts = ClusterFacts(self._write, nodes=nodes)

    def _write(self, **fact: Any) -> None:
        known = {key: value for key, value in fact.items() if value not in (None, "", {}, [])}
        schema().validate({"at": 0, **known})
        self.written.append(known)

    def events(self, name: str) -> list[tuple[str, str]]:
        found = [one for one in self.written if one.get("name") == name]
        return [(one["event"], one.get("node") or one.get("reason") or "") for one in found]


POD: dict[str, Any] = {
    "metadata": {
        "name": "p",
        "namespace": "default",
        "labels": {"queue": "a"},
        "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u", "controller": True}],
    },
    "spec": {
        "schedulerName": "default-scheduler",
        "priority": 5,
        "schedulingGates": [{"name": "kueue.x-k8s.io/admission"}],
        "containers": [{"name": "c", "resources": {"limits": {"cpu": "100m", "nvidia.com/gpu": "8"}}}],
    },
}


async def test_the_life_of_a_pod() -> None:
    one = Facts()
    listen = one.facts._pod
    pod = {**POD, "metadata": {**POD["metadata"], "uid": "1"}}

    def now(change: Change = Change.MODIFIED, **parts: Any) -> None:
        listen(WatchEvent(change, {**pod, **parts}))

    def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
        return {"conditions": [{"type": kind, "status": status, "reason": reason, "message": message}]}

    now(Change.ADDED)
    open_ = {**POD["spec"], "schedulingGates": []}
    pending = condition("PodScheduled", "False", "Unschedulable", "0/2 nodes are available")
    now(spec=open_, status=pending)
    now(spec=open_, status=pending)
    now(spec=open_, status={**pending, "nominatedNodeName": "n1"})
    bound = {**open_, "nodeName": "n1"}
    now(spec=bound, status={"phase": "Pending"})
    now(spec=bound, status={"phase": "Running", **condition("Ready", "True", "")})
    doomed = {**pod["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    evicted = condition("DisruptionTarget", "True", "PreemptionByScheduler", "preempted by q")
    now(spec=bound, metadata=doomed, status={"phase": "Failed", **evicted})
    now(Change.DELETED, spec=bound)
    assert one.events("p") == [
        ("created", ""),
        ("gated", "kueue.x-k8s.io/admission"),
        ("unschedulable", "Unschedulable: 0/2 nodes are available"),
        ("nominated", "n1"),
        ("bound", "n1"),
        ("running", ""),
        ("ready", ""),
        ("disrupted", "PreemptionByScheduler: preempted by q"),
        ("failed", ""),
        ("deleting", ""),
        ("deleted", ""),
    ]
    created = one.written[0]
    assert created["requests"] == {"cpu": 0.1, "nvidia.com/gpu": 8}
    assert (created["ownerKind"], created["owner"], created["priority"]) == ("Job", "j", 5)
    assert created["labels"] == {"queue": "a"}


async def test_pods_and_nodes_of_a_run() -> None:
    one = Facts(nodes=True)
    node = {
        "metadata": {"name": "n1", "labels": {"rack": "r1"}},
        "spec": {"taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}]},
        "status": {"allocatable": {"nvidia.com/gpu": "8", "memory": "1Ki"}},
    }
    await one.memory.create(NODES, node)
    async with Stores(one.memory, keep={PODS: lambda pod: recorded(pod, pod)}) as stores:
        assert await one.facts.follow(stores, ["default"]) == []
        assert await one.facts.follow(stores, ["default"]) == []
        await one.memory.create(PODS, POD, namespace="default")
        await one.memory.patch(NODES, "n1", {"spec": {"unschedulable": True}})
        await one.memory.delete(PODS, "p", namespace="default")
        await one.memory.delete(NODES, "n1")
        while len(one.events("p")) < 3 or len(one.events("n1")) < 3:  # noqa: ASYNC110 - a store is told by tasks
            await asyncio.sleep(0)
    assert [what for what, _ in one.events("n1")] == ["seen", "changed", "deleted"]
    seen, changed, _ = [fact for fact in one.written if fact["fact"] == "node"]
    assert seen["allocatable"] == {"nvidia.com/gpu": 8, "memory": 1024}
    assert (seen["labels"], seen["taints"]) == ({"rack": "r1"}, ["a=b:NoSchedule"])
    assert changed["unschedulable"]
    assert one.events("p") == [("created", ""), ("gated", "kueue.x-k8s.io/admission"), ("deleted", "")]


async def test_what_is_not_seen_is_a_gap() -> None:
    one = Facts()
    listeners: list[Any] = []

    class Told:
        async def follow(self, *place: Any) -> None:
            listeners.append(place[-1])

    await one.facts.follow(Told(), ["default"])  # type: ignore[arg-type]
    for event in (SYNCED, interruption("the server went away"), SYNCED, SYNCED):
        listeners[0](event)
    assert one.written == [
        {"fact": "gap", "event": "began", "kind": "Pod", "namespace": "default", "reason": "the server went away"},
        {"fact": "gap", "event": "ended", "kind": "Pod", "namespace": "default"},
    ]


async def test_pods_that_may_not_be_read_are_no_reason_to_fail() -> None:
    one = Facts()

    class Denied:
        async def follow(self, *_: object) -> None:
            raise Forbidden("may not list pods", status=403)

    assert await one.facts.follow(Denied(), ["default"]) == ["may not list pods"]  # type: ignore[arg-type]


def test_what_a_pod_requests() -> None:
    def container(**requested: str) -> dict[str, Any]:
        return {"name": "c", "resources": {"requests": requested}}

    spec = {
        "containers": [container(cpu="500m", memory="1Gi"), container(cpu="1"), {"name": "c"}],
        "initContainers": [container(cpu="2", memory="1Mi")],
    }
    assert requests(spec) == {"cpu": 2, "memory": 1 << 30}
    assert requests({}) == {}
