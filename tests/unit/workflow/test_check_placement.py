"""CheckPlacement: gangs, domains and nodes, judged by the whole history of the pods."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import ClusterError
from knavtool.kube.gateway import SYNCED, Change, WatchEvent, interruption
from knavtool.kube.resource import JOBS, NODES, PODS
from knavtool.kube.store import Stores
from knavtool.workflow.observing.lives import Lives
from knavtool.workflow.observing.pod_log import PodLog, PodTimes, partial_times
from knavtool.workflow.submission import Instance, Submission, Submitted
from knavtool.workflow.task import Outcome
from support.memory import Memory
from support.runs import Clock
from support.workflows import Bench, faults, jobs, planned, pod, register, submit, task


class _Cluster:
    """Jobs in memory whose pods are bound by hand, at moments of a clock that stands still."""

    def __init__(self, directory: Path, *names: str, pods: int = 2) -> None:
        self.memory = Memory()
        self.clock = Clock()
        self.bench = Bench(self.memory)
        self.names = names
        self.pods = pods
        self.directory = directory
        self.log = PodLog(self.clock)
        self.bench.lives.logs["default"] = self.log

    async def submit(self) -> None:
        built = planned(self.directory, register(), submit(count=len(self.names)))
        await self.bench.run(built, "job", jobs(*self.names, pods=self.pods))
        self.jobs = {
            name: await self.memory.get(JOBS, name, namespace="default") | {"apiVersion": "batch/v1", "kind": "Job"}
            for name in self.names
        }

    def put(self, job: str, number: int, node: str = "", *, phase: str = "Running", deleted: bool = False) -> None:
        """A pod of a Job as the API shows it now."""
        one = pod(f"{job}-{number}", self.jobs[job], phase=phase if node else "Pending", node=node)
        if deleted:
            one["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        key = ("default", one["metadata"]["name"])
        known = key in self.memory._all(PODS)
        change = Change.MODIFIED if known else Change.ADDED
        self.memory._store(PODS, key, one, change)
        self.log(WatchEvent(change, one))

    def remove(self, job: str, number: int) -> None:
        one = self.memory._all(PODS)[("default", f"{job}-{number}")]
        self.memory._remove(PODS, ("default", f"{job}-{number}"))
        self.log(WatchEvent(Change.DELETED, one))

    async def node(self, name: str, **labels: str) -> None:
        await self.memory.create(NODES, {"metadata": {"name": name, "labels": labels}})

    async def check(self, **params: Any) -> Outcome:
        built = planned(
            self.directory, register(), submit(), task("CheckPlacement", "check", refTaskId="job", **params)
        )
        return await self.bench.run(built, "check")


@pytest.fixture
async def cluster(tmp_path: Path) -> _Cluster:
    made = _Cluster(tmp_path, "a", "b")
    await made.submit()
    return made


def bind(cluster: _Cluster, job: str, *nodes: str, seconds: float = 0.1) -> None:
    for number, node in enumerate(nodes):
        cluster.put(job, number, node)
        cluster.clock.now += seconds


async def test_gangs_that_start_whole(cluster: _Cluster) -> None:
    bind(cluster, "a", "n1", "n2")
    bind(cluster, "b", "n3", "n4", seconds=0.5)
    outcome = await cluster.check(allOrNothing=True)
    assert outcome.passed, outcome.message
    assert outcome.message == "2 gangs, 4 pods on 4 nodes, bound within 0.5 s"
    assert outcome.data == {
        "gangs": 2,
        "pods": 4,
        "bound": 4,
        "nodes": ["n1", "n2", "n3", "n4"],
        "longestSkew": 0.5,
    }


async def test_a_gang_that_was_bound_in_part_for_too_long(cluster: _Cluster) -> None:
    bind(cluster, "a", "n1", "n2")
    bind(cluster, "b", "n3", "n4", seconds=3)
    outcome = await cluster.check(allOrNothing=True)
    assert not outcome.passed
    assert outcome.message == ("Job default/b: was bound in part for 3 s, at most 1 of 2 pods; expected all within 1 s")
    assert (await cluster.check(allOrNothing=True, within="4s")).passed


async def test_pods_that_could_not_be_watched_while_they_got_their_nodes_are_not_judged(cluster: _Cluster) -> None:
    bind(cluster, "a", "n1", "n2")
    cluster.log(interruption("watch pods: Unauthorized"))
    bind(cluster, "b", "n3", "n4")
    cluster.log(SYNCED)
    with pytest.raises(ClusterError) as raised:
        await cluster.check(allOrNothing=True)
    assert raised.value.message == (
        "when 2 pods got their nodes is not known, because pods could not be watched: watch pods: Unauthorized"
    )
    # Where they are is known all the same.
    assert (await cluster.check(nodes=["n1", "n2", "n3", "n4"])).passed


async def test_a_gang_that_lost_a_pod_is_partial_and_one_whose_pod_has_ended_is_not(cluster: _Cluster) -> None:
    bind(cluster, "a", "n1", "n2")
    bind(cluster, "b", "n3", "n4")
    cluster.put("a", 0, "n1", phase="Succeeded")
    cluster.remove("a", 0)
    cluster.remove("b", 0)
    cluster.clock.now += 5
    cluster.put("b", 2, "n3")
    cluster.clock.now += 5
    outcome = await cluster.check(allOrNothing=True)
    assert outcome.message == ("Job default/b: was bound in part for 5 s, at most 1 of 2 pods; expected all within 1 s")


@pytest.mark.parametrize("phase", ["Running", "Failed"])
@pytest.mark.parametrize("gone", [False, True])
async def test_a_pod_that_is_evicted_has_its_place_no_more(tmp_path: Path, phase: str, gone: bool) -> None:
    cluster = _Cluster(tmp_path, "a", pods=1)
    await cluster.submit()
    cluster.put("a", 0, "n1")
    cluster.put("a", 0, "n1", deleted=True)
    cluster.put("a", 0, "n1", deleted=True, phase=phase)
    if gone:
        cluster.remove("a", 0)
    cluster.put("a", 1)
    assert "0 of 1 pods have a node" in (await cluster.check(nodes=["n2"], timeout="50ms")).message
    cluster.put("a", 1, "n2")
    moved = await cluster.check(nodes=["n2"], count=1)
    assert moved.passed, moved.message


async def test_a_pod_that_failed_or_is_deleted_after_its_end_keeps_its_place(tmp_path: Path) -> None:
    cluster = _Cluster(tmp_path, "a")
    await cluster.submit()
    bind(cluster, "a", "n1", "n2")
    cluster.put("a", 0, "n1", phase="Failed")
    cluster.put("a", 1, "n2", phase="Succeeded")
    for number, phase in enumerate(("Failed", "Succeeded")):
        cluster.put("a", number, f"n{number + 1}", phase=phase, deleted=True)
        cluster.remove("a", number)
    assert (await cluster.check(nodes=["n1", "n2"], allOrNothing=True)).passed


async def test_waits_until_every_gang_is_placed(cluster: _Cluster) -> None:
    bind(cluster, "a", "n1", "n2")
    cluster.put("b", 0)
    checking = asyncio.create_task(cluster.check(allOrNothing=True, timeout="60s"))
    # A pod too many of one gang does not stand for one that another lacks.
    cluster.put("a", 2, "n9")
    cluster.put("b", 0, "n3")
    for _ in range(50):
        await asyncio.sleep(0)
    assert not checking.done()
    cluster.put("b", 1, "n4")
    assert (await checking).passed


async def test_what_is_said_of_gangs_that_are_not_placed(cluster: _Cluster) -> None:
    bind(cluster, "a", "n1", "n2")
    for number in range(2):
        cluster.put("b", number)
        waiting = cluster.memory._all(PODS)[("default", f"b-{number}")]
        waiting["status"]["conditions"] = [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes"}
        ]
        cluster.log(WatchEvent(Change.MODIFIED, waiting))
    outcome = await cluster.check(allOrNothing=True, timeout="10ms")
    assert outcome.message.splitlines() == [
        "1 of 2 gangs are not placed whole after 0.01 s",
        "  Job default/b: 0 of 2 pods have a node",
        "  2 pods (default/b-0, …): Unschedulable: 0/2 nodes",
    ]


async def test_one_domain_per_gang(cluster: _Cluster) -> None:
    for name, rack in (("n1", "r1"), ("n2", "r1"), ("n3", "r2")):
        await cluster.node(name, rack=rack)
    await cluster.node("n4")
    bind(cluster, "a", "n1", "n2")
    bind(cluster, "b", "n3", "n1")
    outcome = await cluster.check(topologyKey="rack")
    assert outcome.message == "Job default/b: expected one domain of rack, actual 2 (r1: 1, r2: 1)"
    cluster.put("b", 0, "n4")
    cluster.put("b", 1, "n4")
    outcome = await cluster.check(topologyKey="rack")
    assert outcome.message == "Job default/b: expected one domain of rack, actual 1 ((no label): 2)"
    cluster.put("b", 0, "n3")
    cluster.put("b", 1, "n3")
    assert (await cluster.check(topologyKey="rack")).passed


async def test_exactly_these_nodes(cluster: _Cluster) -> None:
    bind(cluster, "a", "n1", "n2")
    bind(cluster, "b", "n1", "n3")
    assert (await cluster.check(nodes=["n3", "n1", "n2"])).passed
    outcome = await cluster.check(nodes=["n1", "n2"])
    assert outcome.message == "nodes: expected n1, n2, actual n1, n2, n3"


async def test_pods_that_must_wait(cluster: _Cluster) -> None:
    cluster.put("a", 0)
    outcome = await cluster.check(waiting="10ms")
    assert (outcome.passed, outcome.message) == (True, "none of 4 pods got a node in 0.01 s")
    checking = asyncio.create_task(cluster.check(waiting="60s"))
    for _ in range(50):
        await asyncio.sleep(0)
    cluster.put("a", 0, "n1")
    outcome = await checking
    assert not outcome.passed
    assert outcome.message == "1 pods have a node, expected none for 60 s: default/a-0 on n1"


async def test_pods_of_others_do_not_count(cluster: _Cluster) -> None:
    bind(cluster, "a", "n1", "n2")
    bind(cluster, "b", "n1", "n2")
    stranger = pod("else", node="n7")
    cluster.memory._store(PODS, ("default", "else"), stranger, Change.ADDED)
    cluster.log(WatchEvent(Change.ADDED, stranger))
    assert (await cluster.check(nodes=["n1", "n2"])).passed


def lives(log: PodLog, uid: str, *owners: str, name: str = "x", node: str = "n1", end: bool = True) -> None:
    """A pod that comes, gets a node if there is one, and goes."""
    one = pod(name, node=node)
    one["metadata"] |= {
        "uid": uid,
        "ownerReferences": [{"uid": owner, "apiVersion": "v1", "kind": "X"} for owner in owners],
    }
    log(WatchEvent(Change.ADDED, one))
    if end:
        log(WatchEvent(Change.DELETED, one))


@pytest.mark.slow
def test_pods_that_are_gone_and_of_others_are_forgotten() -> None:
    log = PodLog(Clock(), lambda: lambda one: one["metadata"]["name"].startswith("ours"))
    lives(log, "ours", name="ours")
    for number in range(100_000):
        lives(log, f"other{number}")
    assert len(log.pods) <= 2000
    assert log.pods["ours"].holds is False
    assert log.bindings == 100_001


def test_pods_that_never_had_a_node_are_forgotten_and_those_that_are_there_are_not() -> None:
    log = PodLog(Clock())
    for number in range(5000):
        lives(log, f"never{number}", node="")
        lives(log, f"here{number}", end=False)
    assert len(log.pods) == 5000


def test_nobody_asks_for_what_is_forgotten_more_often_than_the_number_doubles() -> None:
    asked = 0

    def wanted() -> Any:
        nonlocal asked
        asked += 1
        return lambda _: True

    log = PodLog(Clock(), wanted)
    for number in range(32_000):
        lives(log, f"pod{number}")
    assert len(log.pods) == 32_000
    assert asked == 6


async def test_what_was_judged_for_the_last_time_is_forgotten(tmp_path: Path) -> None:
    memory, clock = Memory(), Clock()
    lives_ = Lives(clock, {1: 2, 2: 1})
    first, second = (
        Submission(
            instances=[
                Instance(objects=[Submitted(resource=JOBS, namespace="default", name="j", uid=uid)], pod_count=1)
            ]
        )
        for uid in ("first", "second")
    )
    async with Stores(memory) as stores:
        await lives_.follow(stores, ["default"], 1, first)
        await lives_.follow(stores, ["default"], 2, second)
        log = lives_.logs["default"]

        def remembered() -> set[str]:
            lives(log, "a", "first")
            lives(log, "b", "second")
            for number in range(1000):
                lives(log, f"c{number}", "other")
            return {uid for uid in log.pods if uid in ("a", "b")}

        assert remembered() == {"a", "b"}
        lives_.judged([1])
        assert remembered() == {"a", "b"}
        lives_.judged([1])
        assert remembered() == {"b"}


async def test_tasks_release_what_they_judge(tmp_path: Path) -> None:
    check = task("CheckPlacement", "check", refTaskId="job", nodes=["n1"])
    built = planned(
        tmp_path, register(), task("Repeat", "rounds", count=2, tasks=[submit(), check]), {**check, "id": "all"}
    )
    assert built.observed.judges == {1: 2, 2: 2}
    cluster = _Cluster(tmp_path, "a")
    await cluster.submit()
    cluster.bench.lives = Lives(cluster.clock, {1: 1})
    cluster.bench.lives.logs["default"] = cluster.log
    async with Stores(cluster.memory) as stores:
        await cluster.bench.lives.follow(stores, [], 1, cluster.bench.submissions["job"])
    one = pod("p", cluster.jobs["a"])
    assert cluster.bench.lives._wanted()(one)
    await cluster.check(nodes=["n1"])
    assert not cluster.bench.lives._wanted()(one)


CHECK = {"refTaskId": "job", "topologyKey": "rack"}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"refTaskId": "job"}, "expected at least one of allOrNothing, topologyKey, nodes and waiting"),
        ({"refTaskId": "job", "allOrNothing": False}, "expected at least one of allOrNothing"),
        ({"refTaskId": "job", "waiting": "3s", "nodes": ["n1"]}, "pods that wait are on no node"),
        ({"refTaskId": "nothing", "nodes": ["n1"]}, "no earlier SubmitObj task has the id 'nothing'"),
        ({"refTaskId": "job", "topologyKey": "a b"}, "'a b' is not valid"),
        ({"refTaskId": "job", "allOrNothing": True, "within": "-1s"}, "must not be negative"),
    ],
)
def test_faults(tmp_path: Path, params: dict[str, Any], message: str) -> None:
    found = [str(fault) for fault in faults(tmp_path, register(), submit(), task("CheckPlacement", **params))]
    assert any(message in fault for fault in found), found


def test_the_topology_key_must_be_a_label_of_the_nodes_that_the_workflow_makes(tmp_path: Path) -> None:
    nodes = [{"type": "dgxa100.80g", "count": 1, "labels": {"racks": "r1"}}]
    prepare = task("Configure", timeout="1m", nodes=nodes)
    (fault,) = faults(tmp_path, register(), prepare, submit(), task("CheckPlacement", **CHECK))
    assert "no node of the workflow has the label 'rack'; did you mean 'racks'?" in str(fault)
    # Nodes that exist already may have any label.
    assert faults(tmp_path, register(), submit(), task("CheckPlacement", **CHECK)) == []


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        ([(0.0, None, None), (1.0, None, None)], [(0.0, 1.0, 1)]),
        ([(0.0, None, None), (0.0, None, None)], [(0.0, 0.0, 1)]),
        ([(0.0, None, None)], [(0.0, 10.0, 1)]),
        ([(0.0, 4.0, None), (1.0, 6.0, None)], [(0.0, 1.0, 1), (4.0, 2.0, 1)]),
        ([(0.0, 4.0, 3.0), (0.0, None, None)], [(0.0, 0.0, 1)]),
        ([], []),
    ],
)
def test_partial_times(
    moments: list[tuple[float, float | None, float | None]], expected: list[tuple[float, float, int]]
) -> None:
    pods = [PodTimes(pod={}, created=0, bound=bound, gone=gone, ended=ended) for bound, gone, ended in moments]
    found = [(one.since, one.seconds, one.most) for one in partial_times(pods, 2, now=10.0)]
    assert found == expected


async def test_a_gang_that_has_grown(cluster: _Cluster) -> None:
    bind(cluster, "a", "n1", "n2")
    bind(cluster, "b", "n3", "n4")
    outcome = await cluster.check(count=3, allOrNothing=True, within="10s")
    assert not outcome.passed
    assert outcome.message.splitlines()[:3] == [
        "2 of 2 gangs are not placed whole",
        "  Job default/a: 2 of 3 pods have a node",
        "  Job default/b: 2 of 3 pods have a node",
    ]
    cluster.put("a", 2, "n5")
    cluster.put("b", 2, "n6")
    outcome = await cluster.check(count=3, allOrNothing=True, within="10s")
    assert outcome.message.startswith("2 gangs, 6 pods on 6 nodes")


async def test_a_gang_that_has_shrunk(cluster: _Cluster) -> None:
    bind(cluster, "a", "n1", "n2")
    bind(cluster, "b", "n3", "n4")
    checking = asyncio.create_task(cluster.check(count=1, nodes=["n1", "n3"], timeout="60s"))
    for job in ("a", "b"):
        for _ in range(20):
            await asyncio.sleep(0)
        assert not checking.done()
        cluster.remove(job, 1)
    assert (await checking).passed


async def test_pods_that_are_too_many_are_told(cluster: _Cluster) -> None:
    bind(cluster, "a", "n1", "n2")
    bind(cluster, "b", "n3")
    outcome = await cluster.check(count={"max": 1}, nodes=["n1"])
    assert outcome.message.splitlines()[1] == "  Job default/a: 1 more pods have a node than expected: at most 1"
    assert (await cluster.check(count={"min": 1, "max": 2}, nodes=["n1", "n2", "n3"])).passed
    assert not (await cluster.check(count={"min": 2}, nodes=["n1", "n2", "n3"])).passed


def test_a_count_prints_the_parameters_of_the_submission(tmp_path: Path) -> None:
    check = task("CheckPlacement", "check", refTaskId="job", allOrNothing=True, count="{{.worker}}")
    (found,) = faults(tmp_path, register(), submit(), check)
    assert "params.count: '{{.worker}}' prints {{.worker}}, which is not given" in str(found)


class _Groups(_Cluster):
    """One object whose pods belong to controllers of their own, on nodes in racks."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, "a", pods=8)

    def place(self, controller: str, index: int, rack: str, *, kind: str = "Worker", **labels: str) -> None:
        """A pod of a controller, on a node of its own."""
        name = f"{controller}-{index}"
        one = pod(name, self.jobs["a"], node=f"{rack}-{name}")
        owner = {"apiVersion": "v1", "kind": kind, "name": controller, "uid": controller, "controller": True}
        one["metadata"]["ownerReferences"] += [owner] if controller else []
        one["metadata"]["labels"] = labels
        self.memory._store(PODS, ("default", name), one, Change.ADDED)
        self.log(WatchEvent(Change.ADDED, one))
        self.memory._store(
            NODES,
            ("", f"{rack}-{name}"),
            {"metadata": {"name": f"{rack}-{name}", "labels": {"rack": rack}}},
            Change.ADDED,
        )

    def indexed(self, controller: str, *racks: str) -> None:
        for index, rack in enumerate(racks):
            self.place(controller, index, rack, **{"batch.kubernetes.io/job-completion-index": str(index)})


@pytest.fixture
async def groups(tmp_path: Path) -> _Groups:
    made = _Groups(tmp_path)
    await made.submit()
    return made


async def problems(cluster: _Cluster, **params: Any) -> list[str]:
    outcome = await cluster.check(topologyKey="rack", **params)
    return [] if outcome.passed else outcome.message.splitlines()


async def test_the_pods_of_each_controller_in_one_domain(groups: _Groups) -> None:
    for controller, racks in (("w-0", "rrrr"), ("w-1", "sssr")):
        groups.indexed(controller, *racks)
    assert await problems(groups, groups={"owner": "Worker"}) == [
        "Job default/a: Worker w-1: expected one domain of rack, actual 2 (r: 1, s: 3)"
    ]
    assert await problems(groups, groups={"owner": "Worker"}, domains={"max": 2}) == []
    assert await problems(groups, groups={"owner": "Worker"}, domains=2) == [
        "Job default/a: Worker w-0: expected 2 domains of rack, actual 1 (r: 4)"
    ]


async def test_groups_in_different_domains(groups: _Groups) -> None:
    for controller, racks in (("w-0", "rrrr"), ("w-1", "rrrr")):
        groups.indexed(controller, *racks)
    chosen = {"groups": {"owner": "Worker", "count": 2}}
    assert await problems(groups, **chosen) == []
    assert await problems(groups, **chosen, distinctDomains=True) == [
        "expected different domains of rack, but r has pods of Job default/a: Worker w-0 and Job default/a: Worker w-1"
    ]
    assert await problems(groups, groups={"owner": "Worker", "count": {"min": 3}}) == [
        "Job default/a: expected at least 3 groups, actual 2 (Worker w-0, Worker w-1)"
    ]
    outcome = await groups.check(topologyKey="rack", **chosen)
    assert outcome.message.endswith(", in 2 groups")
    assert outcome.data["groups"] == 2


async def test_at_most_so_many_domains_of_the_whole(groups: _Groups) -> None:
    groups.indexed("w-0", *"rrrrssss")
    assert await problems(groups, domains={"max": 2}) == []
    assert await problems(groups, domains={"max": 1}) == [
        "Job default/a: expected at most 1 domains of rack, actual 2 (r: 4, s: 4)"
    ]


async def test_groups_by_a_label(groups: _Groups) -> None:
    for index, (rack, role) in enumerate(zip("rrrrssss", "xxxxyyyx", strict=True)):
        groups.place("w", index, rack, role=role)
    assert await problems(groups, groups={"label": "role"}) == [
        "Job default/a: role=x: expected one domain of rack, actual 2 (r: 4, s: 1)"
    ]
    assert await problems(groups, groups={"label": "rule"}) == ["Job default/a: no pod has the label 'rule'"]
    assert await problems(groups, groups={"owner": "Set"}) == [
        "Job default/a: no pod is controlled by a Set, but by: Worker"
    ]


async def test_slices_in_the_order_of_the_index(groups: _Groups) -> None:
    groups.indexed("w", *"rrssrrss")
    assert await problems(groups, groups={"size": 2, "count": 4}) == []
    assert await problems(groups, groups={"size": 4}) == [
        "Job default/a: pods 0 to 3 of Worker w: expected one domain of rack, actual 2 (r: 2, s: 2)",
        "Job default/a: pods 4 to 7 of Worker w: expected one domain of rack, actual 2 (r: 2, s: 2)",
    ]


async def test_slices_of_pods_without_an_order(groups: _Groups) -> None:
    for index, rack in enumerate("rsrsrsrs"):
        groups.place("w", index, rack)
    assert await problems(groups, groups={"size": 4}) == []
    assert await problems(groups, groups={"size": 3}) == [
        "Job default/a: the pods w-6, w-1, w-3 of Worker w: expected one domain of rack, actual 2 (r: 1, s: 2)"
    ]


async def test_objects_in_different_domains(cluster: _Cluster) -> None:
    for name, rack in (("n1", "r"), ("n2", "r"), ("n3", "s")):
        await cluster.node(name, rack=rack)
    bind(cluster, "a", "n1", "n2")
    bind(cluster, "b", "n1", "n2")
    assert await problems(cluster, distinctDomains=True) == [
        "expected different domains of rack, but r has pods of Job default/a and Job default/b"
    ]
    for number in (0, 1):
        cluster.put("b", number, "n3")
    assert await problems(cluster, distinctDomains=True) == []


@pytest.mark.parametrize(
    ("params", "fault"),
    [
        ({"allOrNothing": True, "domains": 2}, "params: the field 'topologyKey' is missing"),
        ({"topologyKey": "rack", "groups": {}}, "params.groups: expected exactly one of owner, label and size"),
        (
            {"topologyKey": "rack", "groups": {"owner": "Job", "size": 2}},
            "params.groups: expected exactly one of owner, label and size",
        ),
        ({"topologyKey": "rack", "groups": {"size": 0}}, "params.groups.size: 0 is out of range"),
        (
            {"topologyKey": "rack", "groups": {"size": 2, "count": "x"}},
            "params.groups.count: 'x' is not a whole number",
        ),
        ({"topologyKey": "rack", "domains": "{{.n}}"}, "params.domains: '{{.n}}' prints {{.n}}, which is not given"),
    ],
)
def test_faults_of_groups(tmp_path: Path, params: dict[str, Any], fault: str) -> None:
    found = faults(tmp_path, register(), submit(), task("CheckPlacement", "check", refTaskId="job", **params))
    assert any(fault in str(one) for one in found), [str(one) for one in found]
