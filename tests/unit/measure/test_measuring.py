"""Measures: small recordings whose numbers can be counted by hand, and what holds for every recording."""

from __future__ import annotations

import gzip
import itertools
import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knavtool.errors import DocumentError
from knavtool.measure.measuring import measure_file
from knavtool.measure.names import all_names
from knavtool.measure.table import Measured
from knavtool.measure.tables import COLUMNS
from support.simulated import run_of, write

BEGIN: dict[str, Any] = {"fact": "recording", "at": 0.0, "format": 1, "began": "2026-01-01T00:00:00+00:00"}
GIB = 2**30


def node(name: str, gpus: int = 8, at: float = 0.0, **more: Any) -> dict[str, Any]:
    allocatable = {"nvidia.com/gpu": gpus, "cpu": 16, "memory": 64 * GIB}
    return {"fact": "node", "at": at, "event": "seen", "name": name, "allocatable": allocatable, "ready": True, **more}


def pod(name: str, at: float, event: str, **more: Any) -> dict[str, Any]:
    if event == "created":
        more = {"ownerUid": "job-uid", "ownerKind": "Job", "owner": "job", **more}
        more["requests"] = {"nvidia.com/gpu": more.pop("gpus", 4), "cpu": 1, "memory": GIB}
    return {"fact": "pod", "at": at, "event": event, "uid": name, "namespace": "default", "name": name, **more}


def life(name: str, created: float, bound: float, ended: float, **more: Any) -> list[dict[str, Any]]:
    on = more.pop("node", "a")
    return [
        pod(name, created, "created", **more),
        pod(name, bound, "bound", node=on),
        pod(name, bound, "running"),
        pod(name, ended, "succeeded"),
    ]


@pytest.fixture
def measured(tmp_path: Path) -> Any:
    def measure(*facts: Any, end: float = 100.0) -> Measured:
        flat = [fact for each in facts for fact in (each if isinstance(each, list) else [each])]
        return measure_file(write(tmp_path / "recording.jsonl.gz", [BEGIN, *flat, {"fact": "end", "at": end}]))

    return measure


def value(measured: Measured, name: str) -> float | None:
    return measured.measures[name].value


def only(measured: Measured, table: str) -> dict[str, Any]:
    (row,) = measured.tables[table].dicts()
    return row


@pytest.mark.parametrize(("ended", "late"), [(14.5, False), (20, True)])
def test_a_pod_that_runs_longer_than_asked(measured: Any, ended: float, late: bool) -> None:
    """What KWOK does late is not the scheduler's."""
    found = measured(node("a"), life("p", 10, 12, ended, asked=2.0))
    assert only(found, "pods")["overrun"] == pytest.approx(ended - 14)
    assert value(found, "pod.overrun.max") == pytest.approx(ended - 14)
    assert list(found.about.tool_limits) == (["KWOK let pods run up to 6 s longer than asked"] if late else [])
    assert list(found.about.saturated) == list(found.about.tool_limits)


def test_one_pod(measured: Any) -> None:
    found = measured(node("a"), life("p", 10, 12, 20))
    row = only(found, "pods")
    assert (row["wait"], row["start"], row["runtime"], row["attempts"], row["outcome"]) == (2, 0, 8, 1, "succeeded")
    assert row["overrun"] is None
    assert value(found, "makespan") == 10
    assert value(found, "gpu.allocated.time") == 4 * 8
    # Four of eight GPUs for eight of the ten seconds from the first creation to the last end.
    assert value(found, "gpu.occupancy.mean") == pytest.approx(0.4)
    assert value(found, "gpu.occupancy.max") == 0.5
    assert (value(found, "pods.rate.mean"), found.measures["pods.rate.mean"].why) == (None, "one pod has no rate")


def test_a_run_that_takes_no_time(measured: Any) -> None:
    found = measured(node("a"), life("p", 10, 10, 10), life("q", 10, 10, 10), end=10)
    assert value(found, "makespan") == 0
    assert found.measures["gpu.occupancy.mean"].why == "the run took no time"
    assert all(one.value is not None or one.why for one in found.measures.values())


def test_no_pods_at_all(measured: Any) -> None:
    found = measured(node("a"))
    assert found.measures["makespan"].why == "no pod was created while it was recorded"
    assert found.measures["gang.wait.p95"].why == "there were no gangs"
    assert all(one.value is not None or one.why for one in found.measures.values())


def test_a_gang_that_is_bound_in_part(measured: Any) -> None:
    """Two of three pods are bound at once, the last one when 30 s have passed."""
    found = measured(
        node("a"),
        node("b", 4),
        {"fact": "submitted", "at": 9, "kind": "Job.batch", "uid": "job-uid", "name": "job", "pods": 3},
        life("p", 10, 11, 60),
        life("q", 10, 12, 60),
        life("r", 10, 41, 60, node="b"),
    )
    gang = only(found, "gangs")
    assert (gang["gang"], gang["kind"], gang["pods"], gang["min"], gang["gpus"]) == ("default/job", "Job", 3, 3, 12)
    assert (gang["wait_first"], gang["wait"], gang["latency"], gang["skew"]) == (2, 32, 31, 30)
    assert (gang["partial"], gang["turnaround"], gang["slowdown"]) == (30, 51, pytest.approx(51 / 49))
    assert value(found, "gang.partial.time") == 30
    states = [(row["state"], row["since"], row["until"]) for row in found.tables["spans"].dicts()]
    assert states == [("queued", 9, 10), ("waiting", 10, 11), ("partial", 11, 41), ("bound", 41, 60)]


def test_binding_one_pod_after_another_is_not_partial(measured: Any) -> None:
    found = measured(node("a"), life("p", 10, 11, 60), life("q", 10, 15.9, 60))
    assert only(found, "gangs")["partial"] == 0
    assert value(found, "gangs.partial") == 0


def test_a_group_that_pods_name_says_how_many_must_start(measured: Any) -> None:
    group = {"fact": "object", "kind": "PodGroup.x", "uid": "g", "namespace": "default", "name": "group"}
    found = measured(
        node("a"),
        {**group, "at": 9, "event": "created", "role": "gang", "values": {"minCount": 1, "queue": "team"}},
        life("p", 10, 11, 60, gangs={"PodGroup.x": "group"}),
        life("q", 10, 41, 60, gangs={"PodGroup.x": "group"}),
    )
    gang = only(found, "gangs")
    assert (gang["gang"], gang["queue"], gang["pods"], gang["min"]) == ("default/group", "team", 2, 1)
    assert (gang["partial"], gang["latency"], gang["wait_full"]) == (0, 1, 31)


def test_a_queue_that_admits_and_takes_it_back(measured: Any) -> None:
    workload = {"fact": "object", "kind": "Workload.q", "uid": "w", "namespace": "default", "name": "w"}
    moment = {**workload, "event": "moment", "holds": True}
    found = measured(
        node("a"),
        {**workload, "at": 5, "event": "created", "role": "gang", "ownerUid": "job-uid", "values": {"queue": "team"}},
        {**moment, "at": 8, "moment": "admitted"},
        {**moment, "at": 20, "moment": "evicted", "reason": "Preempted: to accommodate a workload"},
        {**moment, "at": 40, "moment": "evicted", "holds": False},
        {**moment, "at": 40, "moment": "admitted"},
        {"fact": "submitted", "at": 5, "kind": "Job.batch", "uid": "job-uid", "name": "job", "pods": 1},
        pod("p", 9, "created"),
        pod("p", 10, "bound", node="a"),
        pod("p", 21, "deleted"),
        life("q", 41, 42, 50),
    )
    gang = only(found, "gangs")
    assert (gang["queue"], gang["admission"], gang["requeues"], gang["pods"]) == ("team", 3, 1, 1)
    lost = only(found, "preemptions")
    assert (lost["pod"], lost["time"], lost["ran"], lost["lost"]) == ("default/p", 20, 11, 44)
    assert [row["outcome"] for row in found.tables["pods"].dicts()] == ["preempted", "succeeded"]


def test_a_pod_that_is_preempted_by_another(measured: Any) -> None:
    found = measured(
        node("a"),
        pod("p", 9, "created"),
        pod("p", 10, "bound", node="a"),
        pod("p", 20, "disrupted", reason="PreemptionByScheduler: preempting to accommodate a higher priority pod"),
        pod("p", 20.5, "preempted", by="default/q"),
        pod("p", 21, "failed"),
        pod("p", 22, "deleted"),
        life("q", 15, 22, 50, ownerUid="other"),
    )
    lost = only(found, "preemptions")
    assert (lost["by"], lost["gpus"], lost["ran"], lost["lost"]) == ("default/q", 4, 11, 44)
    assert value(found, "preemptions.count") == 1


def test_stranded_gpus_and_fragmentation(measured: Any) -> None:
    """Two nodes have two free GPUs each, and a pod waits for four."""
    found = measured(
        node("a", 4),
        node("b", 4),
        life("p", 10, 10, 30, gpus=2),
        life("q", 10, 10, 30, gpus=2, node="b"),
        life("r", 20, 30, 40, gpus=4),
    )
    blocks = {row["time"]: row for row in found.tables["blocks"].dicts()}
    assert [blocks[at]["stranded"] for at in (10, 20, 30)] == [0, 4, 0]
    assert (blocks[10]["half"], blocks[10]["few"], blocks[10]["free"]) == (0, 2, 4)
    # A third of the requests, that for four, cannot use these two times two GPUs.
    assert blocks[10]["fragmentation"] == pytest.approx(4 / 3)
    assert value(found, "gpu.stranded.time") == 40
    assert value(found, "gpu.stranded.max") == 4


def test_shares_against_quotas(measured: Any) -> None:
    queue = {"fact": "object", "at": 1, "event": "created", "role": "queue", "kind": "Queue.x"}
    found = measured(
        node("a", 16),
        {**queue, "uid": "1", "name": "one", "quota": {"nvidia.com/gpu": 8}},
        {**queue, "uid": "2", "name": "two", "values": {"parent": "top"}},
        {**queue, "uid": "3", "name": "top", "quota": {"nvidia.com/gpu": 4}},
        life("p", 10, 10, 20, gpus=4, queue="one"),
        life("q", 10, 10, 20, gpus=4, queue="two", ownerUid="other"),
    )
    rows = {row["queue"]: row for row in found.tables["queues"].dicts()}
    assert (rows["one"]["quota"], rows["one"]["share"]) == (8, 0.5)
    assert (rows["two"]["quota"], rows["two"]["share"]) == (4, 1)
    # (0.5 + 1)^2 / (2 * (0.25 + 1))
    assert value(found, "fairness.jain.mean") == pytest.approx(0.9)


def test_what_was_there_before_has_no_waits(measured: Any) -> None:
    late = [{**fact, "late": True} for fact in life("old", 1, 1, 90)[:3]]
    found = measured(node("a"), late, life("new", 10, 12, 20))
    rows = {row["pod"]: row for row in found.tables["pods"].dicts()}
    assert (rows["default/old"]["wait"], rows["default/old"]["outcome"]) == (None, "running")
    assert found.measures["pod.wait.max"].n == 1
    assert value(found, "gpu.allocated.max") == 8
    assert found.about.notes == (["1 of 2 pods were there before they could be seen; their waits are not known"])


def test_a_gap_is_told(measured: Any) -> None:
    gap = {"fact": "gap", "kind": "Pod", "namespace": "default"}
    found = measured(
        node("a"),
        life("p", 10, 12, 20),
        {**gap, "at": 30, "event": "began", "reason": "410 Gone"},
        {**gap, "at": 33, "event": "ended"},
    )
    assert found.about.notes == ["Pod in default: nothing was seen from 30.0 s to 33.0 s: 410 Gone"]
    assert only(found, "gaps")["ended"] == 33


def test_a_node_that_is_not_ready_has_nothing(measured: Any) -> None:
    found = measured(
        node("a"),
        node("a", at=15, event="changed", ready=False),
        node("a", at=18, event="changed"),
        life("p", 10, 10, 20),
    )
    capacity = [(row["time"], row["gpus"]) for row in found.tables["capacity"].dicts()]
    assert capacity == [(0, 8), (15, 0), (18, 8)]
    assert value(found, "gpu.occupancy.max") == 0.5
    assert value(found, "gpu.allocated.time") == 4 * 7


def test_without_nodes_what_pods_took_is_known(measured: Any) -> None:
    found = measured(life("p", 10, 12, 20))
    assert value(found, "gpu.allocated.time") == 32
    assert found.measures["gpu.occupancy.mean"].why == "nodes were not recorded"


def test_a_saturated_machine_is_told(measured: Any) -> None:
    samples = [{"fact": "machine", "at": at, "cores": 2, "busy": busy} for at, busy in ((10, 0), (20, 20), (30, 21))]
    found = measured(node("a"), life("p", 10, 10, 12), life("q", 10, 20, 22), samples)
    assert found.about.saturated == ["all 2 processors of the machine were busy for 10 of 10 s of scheduling"]
    assert value(found, "machine.cpu.mean") == pytest.approx((10 + 0.05 * 2) / 12)


@pytest.mark.parametrize("lines", [b"", b"{}\n", b"no json\n", b'{"fact": "pod"}\n', b"[]\n"])
def test_what_is_no_recording_is_refused(tmp_path: Path, lines: bytes) -> None:
    file = tmp_path / "recording.jsonl.gz"
    file.write_bytes(gzip.compress(lines))
    with pytest.raises(DocumentError, match="is no recording of knavtool"):
        measure_file(file)


def test_what_is_no_gzip_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "recording.jsonl.gz"
    file.write_text("hello")
    with pytest.raises(DocumentError, match="cannot be read as a recording: Not a gzipped file"):
        measure_file(file)
    with pytest.raises(DocumentError, match="does not exist"):
        measure_file(tmp_path / "nothing")


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="has format 2 of recordings; this knavtool reads format 1"):
        measure_file(write(tmp_path / "recording.jsonl.gz", [{**BEGIN, "format": 2}]))


def test_a_recording_that_was_cut_off_is_read_up_to_there(tmp_path: Path) -> None:
    file = write(tmp_path / "recording.jsonl.gz", run_of(pods=2000, nodes=20))
    whole = measure_file(file)
    file.write_bytes(file.read_bytes()[:-100])
    cut = measure_file(file)
    assert whole.about.whole
    assert not cut.about.whole
    assert cut.about.passed is None
    assert "cut off" in cut.about.notes[0]
    assert 0 < len(cut.tables["pods"].rows) <= len(whole.tables["pods"].rows)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    nodes=st.integers(1, 12),
    pods=st.integers(1, 80),
    preemptions=st.sampled_from([0.0, 0.2]),
)
def test_what_holds_for_every_run(tmp_path: Path, seed: int, nodes: int, pods: int, preemptions: float) -> None:
    facts = run_of(seed, nodes=nodes, pods=pods, preemptions=preemptions)
    found = measure_file(write(tmp_path / "recording.jsonl.gz", facts))
    assert sorted(found.measures) == all_names()
    assert set(found.tables) == set(COLUMNS)

    # Allocated is never above allocatable, and every GPU of a node is either free or taken.
    assert (value(found, "gpu.occupancy.max") or 0) <= 1 + 1e-9
    capacity = value(found, "gpu.capacity") or 0
    assert all(0 <= row["stranded"] <= row["free"] <= capacity for row in found.tables["blocks"].dicts())
    assert all(0 <= row["fragmentation"] <= row["free"] + 1e-9 for row in found.tables["blocks"].dicts())
    blocks = list(found.tables["blocks"].dicts())
    assert all(row["whole"] + row["half"] + row["few"] + row["none"] == nodes for row in blocks)

    # What the queues, the pools and the pods took are the same GPU-seconds.
    rows = list(found.tables["pods"].dicts())
    end = max(row["ended"] or row["deleted"] or found.about.seconds for row in rows)
    taken = sum(
        row["gpus"] * ((row["ended"] or row["deleted"] or end) - row["bound"])
        for row in rows
        if row["bound"] is not None
    )
    begin = min(row["created"] for row in rows)
    assert value(found, "gpu.allocated.time") == pytest.approx(taken, abs=1e-6)
    for table, key in (("occupancy", "queue"), ("pools", "pool"), ("priorities", "priority")):
        assert _area(found, table, key, begin, end) == pytest.approx(taken, abs=1e-6)

    # The states of a gang follow each other without a hole.
    for gang in {row["gang"] for row in rows}:
        spans = [row for row in found.tables["spans"].dicts() if row["gang"] == gang]
        assert all(one["until"] == other["since"] for one, other in itertools.pairwise(spans))
        own = [row for row in rows if row["gang"] == gang]
        last = max(row["ended"] or row["deleted"] or found.about.seconds for row in own)
        span = last - min(row["created"] for row in own)
        assert math.fsum(row["until"] - row["since"] for row in spans) == pytest.approx(span, abs=1e-6)

    # The order of the lines says nothing.
    first, *rest = facts
    random.Random(seed).shuffle(rest)
    again = measure_file(write(tmp_path / "permuted.jsonl.gz", [first, *rest]))
    assert again == found


def _area(measured: Measured, table: str, key: str, begin: float, end: float) -> float:
    """The integral of the GPUs of a table over the window of the run."""
    area = 0.0
    held: dict[str, tuple[float, float]] = {}
    for row in measured.tables[table].dicts():
        at, gpus = held.get(row[key], (begin, 0.0))
        area += gpus * (min(row["time"], end) - max(at, begin))
        held[row[key]] = (row["time"], row["gpus"])
    return area + sum(gpus * max(end - max(at, begin), 0) for at, gpus in held.values())
