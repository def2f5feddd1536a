"""What becomes of nodes and pods in the numbers of the exporter."""

from __future__ import annotations

from typing import Any

import pytest

from knavtool.exporter.cluster import Cluster
from knavtool.exporter.gangs import Gangs
from knavtool.exporter.seen import Tracked, node_of, pod_of
from support.exported import GROUPS

TRACKED = Tracked(resources=("cpu", "memory", "nvidia.com/gpu"), labels=("rack",), groups=GROUPS)


def node(name: str, *, gpus: str = "8", ready: str = "True", **labels: str) -> dict[str, Any]:
    allocatable = {"cpu": "96", "memory": "1Ti", "nvidia.com/gpu": gpus}
    return {
        "metadata": {"name": name, "labels": labels},
        "status": {"allocatable": allocatable, "conditions": [{"type": "Ready", "status": ready}]},
    }


def container(requests: dict[str, str] | None = None, limits: dict[str, str] | None = None) -> dict[str, Any]:
    return {"name": "c", "resources": {"requests": requests or {}, "limits": limits or {}}}


def pod(
    *containers: dict[str, Any],
    on: str = "",
    phase: str = "Pending",
    gates: bool = False,
    refused: bool = False,
    owner: str = "",
    init: tuple[dict[str, Any], ...] = (),
) -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": list(containers), "initContainers": list(init)}
    if on:
        spec["nodeName"] = on
    if gates:
        spec["schedulingGates"] = [{"name": "g"}]
    owners = [{"kind": "Job", "uid": owner, "controller": True}] if owner else []
    conditions = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}] if refused else []
    return {
        "metadata": {"namespace": "ns", "name": "p", "ownerReferences": owners},
        "spec": spec,
        "status": {"phase": phase, "conditions": conditions},
    }


def gpus(count: int, **more: Any) -> dict[str, Any]:
    asked = {"nvidia.com/gpu": str(count), "cpu": "500m"}
    return pod(container(asked, asked), **more)


class Case:
    """A cluster and what was observed of its gangs; each call is one second later."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.cluster = Cluster(TRACKED, Gangs(self.waits.append))
        self.now = 0.0

    def node(self, name: str, manifest: dict[str, Any] | None) -> None:
        self.cluster.take_node(name, None if manifest is None else node_of(manifest, TRACKED))

    def pod(self, name: str, manifest: dict[str, Any] | None, *, late: bool = False) -> None:
        self.now += 1
        taken = None if manifest is None else pod_of(manifest, TRACKED)
        self.cluster.take_pod(("ns", name), taken, self.now, late=late)


@pytest.fixture
def case() -> Case:
    return Case()


def test_requests_and_limits_are_summed_exactly(case: Case) -> None:
    case.node("a", node("a", rack="r1"))
    small = container({"cpu": "100m", "memory": "1Gi"}, {"cpu": "500m"})
    for number in range(3):
        case.pod(f"p{number}", pod(small, small, on="a"))
    case.pod("gpu", pod(container(limits={"nvidia.com/gpu": "4"}), on="a"))
    used = case.cluster.used("a")
    assert used.requests == (0.6, 6 * 2**30, 4)  # a limit without a request is one
    assert used.limits == (3, 0, 4)
    assert case.cluster.nodes["a"].labels == ("r1",)


def test_an_init_container_counts_if_it_asks_for_more(case: Case) -> None:
    case.node("a", node("a"))
    case.pod("p", pod(container({"cpu": "1"}), init=(container({"cpu": "3"}),), on="a"))
    assert case.cluster.used("a").requests[0] == 3


def test_bound_pods_count_until_they_end_whatever_their_phase(case: Case) -> None:
    case.node("a", node("a"))
    case.pod("p", gpus(8))
    assert case.cluster.used("a").requests[2] == 0
    case.pod("p", gpus(8, on="a"))
    assert case.cluster.used("a").requests[2] == 8
    case.pod("p", gpus(8, on="a", phase="Running"))
    assert case.cluster.used("a").requests[2] == 8
    case.pod("p", gpus(8, on="a", phase="Succeeded"))
    assert case.cluster.used("a").requests[2] == 0
    case.pod("p", None)
    case.pod("q", gpus(2, on="a"))
    case.pod("q", None)
    assert case.cluster.used("a").requests == (0, 0, 0)


def test_nodes_that_go_leave_nothing_and_come_back_with_their_pods(case: Case) -> None:
    case.node("a", node("a"))
    case.pod("p", gpus(8, on="a"))
    case.node("a", None)
    assert case.cluster.nodes == {}
    assert case.cluster.blocks().allocatable == 0
    case.node("a", node("a"))
    assert case.cluster.used("a").requests[2] == 8
    case.node("a", None)
    case.pod("p", None)
    case.node("a", node("a"))
    assert case.cluster.used("a").requests[2] == 0


def test_pending_pods_by_what_holds_them(case: Case) -> None:
    case.pod("new", gpus(1))
    case.pod("gated", gpus(1, gates=True))
    case.pod("refused", gpus(1, refused=True))
    case.pod("refused-too", gpus(1, refused=True))
    assert case.cluster.pending() == {"gated": 1, "unschedulable": 2, "new": 1}
    case.pod("new", gpus(1, on="a"))
    case.pod("gated", gpus(1))
    case.pod("refused", None)
    assert case.cluster.pending() == {"gated": 0, "unschedulable": 1, "new": 1}


def test_free_blocks(case: Case) -> None:
    for name, size in {"whole": 0, "half": 4, "few": 7, "none": 8}.items():
        case.node(name, node(name))
        if size:
            case.pod(name, gpus(size, on=name))
    case.node("away", node("away", ready="False"))
    case.node("cpu", node("cpu", gpus="0"))
    found = case.cluster.blocks()
    assert found.nodes == {"8+": 1, "4-7": 1, "1-3": 1, "0": 1}
    assert (found.allocatable, found.free, found.stranded) == (32, 13, 0)


def test_gpus_are_stranded_where_no_pending_pod_fits(case: Case) -> None:
    for name, size in {"a": 6, "b": 3}.items():
        case.node(name, node(name))
        case.pod(name, gpus(size, on=name))
    case.pod("cpu", pod(container({"cpu": "1"})))
    assert case.cluster.blocks().stranded == 0, "no pending pod asks for GPUs"
    case.pod("big", gpus(4))
    assert case.cluster.blocks().stranded == 2
    case.pod("huge", gpus(8))
    assert case.cluster.blocks().stranded == 2
    case.pod("big", None)
    assert case.cluster.blocks().stranded == 7
    case.pod("no-cpu", pod(container({"nvidia.com/gpu": "1", "cpu": "1k"})))
    assert case.cluster.blocks().stranded == 7
    case.pod("huge", None)
    case.pod("no-cpu", None)
    assert case.cluster.blocks().stranded == 0


def test_the_wait_of_a_gang_ends_with_its_last_pod(case: Case) -> None:
    case.pod("a", gpus(1, owner="job"))
    case.pod("b", gpus(1, owner="job"))
    case.pod("a", gpus(1, owner="job", on="n"))
    case.cluster.gangs.settle(case.now + 100)
    assert case.waits == []
    case.pod("b", gpus(1, owner="job", on="n"))
    case.cluster.gangs.settle(case.now + 9)
    assert case.waits == []
    case.cluster.gangs.settle(case.now + 10)
    case.cluster.gangs.settle(case.now + 20)
    assert case.waits == [3]
    case.pod("retry", gpus(1, owner="job"))
    case.pod("retry", gpus(1, owner="job", on="n"))
    case.cluster.gangs.settle(case.now + 100)
    assert case.waits == [3]


def test_a_gang_that_is_gone_was_complete_only_if_all_its_pods_had_a_node(case: Case) -> None:
    for job, last in {"whole": "n", "part": ""}.items():
        case.pod(f"{job}-a", gpus(1, owner=job))
        case.pod(f"{job}-b", gpus(1, owner=job))
        case.pod(f"{job}-a", gpus(1, owner=job, on="n"))
        case.pod(f"{job}-b", gpus(1, owner=job, on=last))
        case.pod(f"{job}-a", None)
        case.pod(f"{job}-b", None)
    assert case.waits == [3]


def test_a_gang_whose_group_says_so_is_complete_with_enough_pods(case: Case) -> None:
    case.cluster.gangs.need(("ns", "job"), 2)
    for name in ("a", "b", "c"):
        case.pod(name, gpus(1, owner="job"))
    case.pod("a", gpus(1, owner="job", on="n"))
    assert case.waits == []
    case.pod("b", gpus(1, owner="job", on="n"))
    assert case.waits == [4]
    case.pod("c", gpus(1, owner="job", on="n"))
    case.cluster.gangs.settle(case.now + 100)
    assert case.waits == [4]


def test_a_gang_that_is_too_small_for_its_group_has_no_wait(case: Case) -> None:
    case.pod("a", gpus(1, owner="job"))
    case.pod("a", gpus(1, owner="job", on="n"))
    case.cluster.gangs.need(("ns", "job"), 2)
    case.cluster.gangs.settle(case.now + 100)
    case.pod("a", None)
    assert case.waits == []
    case.pod("b", gpus(1, owner="job"))
    case.pod("b", gpus(1, owner="job", on="n"))
    case.cluster.gangs.need(("ns", "job"), 1)
    assert case.waits == [1]


def test_gangs_whose_beginning_or_end_nobody_saw_have_no_wait(case: Case) -> None:
    case.pod("a", gpus(1, owner="before"), late=True)
    case.pod("a", gpus(1, owner="before", on="n"))
    case.pod("b", gpus(1, owner="meanwhile"))
    case.cluster.gangs.interrupted()
    case.pod("b", gpus(1, owner="meanwhile", on="n"), late=True)
    case.cluster.gangs.settle(case.now + 100)
    assert case.waits == []


def test_another_pod_of_the_same_name_waits_anew(case: Case) -> None:
    case.pod("a", gpus(1, owner="job", on="n"), late=True)
    case.pod("a", gpus(1, owner="job"))
    case.cluster.gangs.settle(case.now + 100)
    assert case.waits == []
    case.pod("a", gpus(1, owner="job", on="n"))
    case.cluster.gangs.settle(case.now + 100)
    assert case.waits == [1]


def test_a_pod_may_join_and_leave_a_gang(case: Case) -> None:
    case.pod("a", gpus(1))
    case.pod("a", gpus(1, owner="job"))
    case.pod("b", gpus(1, owner="job"))
    case.pod("b", gpus(1, owner="other"))
    case.pod("a", gpus(1, owner="job", on="n"))
    case.cluster.gangs.settle(case.now + 100)
    assert case.waits == [3]
    case.pod("a", gpus(1, on="n"))
    case.pod("b", gpus(1, owner="other", on="n"))
    case.cluster.gangs.settle(case.now + 100)
    assert case.waits == [3, 3]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"spec": {"schedulingGroup": {"podGroupName": "g"}}}, "g"),
        ({"metadata": {"labels": {"scheduling.x-k8s.io/pod-group": "g"}}}, "g"),
        ({"metadata": {"labels": {"kueue.x-k8s.io/pod-group-name": "g"}}}, "g"),
        ({"metadata": {"annotations": {"scheduling.k8s.io/group-name": "g"}}}, "g"),
        ({"metadata": {"labels": {"jobset.sigs.k8s.io/jobset-name": "g"}}}, "g"),
        ({"metadata": {"labels": {"scheduling.x-k8s.io/pod-group": "g", "jobset.sigs.k8s.io/jobset-name": "j"}}}, "g"),
        ({}, "owner"),
        ({"metadata": {"ownerReferences": [{"kind": "DaemonSet", "uid": "d", "controller": True}]}}, None),
        ({"metadata": {"ownerReferences": [{"kind": "Job", "uid": "j"}]}}, None),
    ],
    ids=str,
)
def test_what_makes_pods_a_gang(changes: dict[str, dict[str, Any]], key: str | None) -> None:
    manifest = gpus(1, owner="owner")
    for part, fields in changes.items():
        manifest[part] |= fields
    assert pod_of(manifest, TRACKED).gang == (None if key is None else ("ns", key))
