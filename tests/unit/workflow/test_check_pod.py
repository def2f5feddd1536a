"""CheckPod: which pods count, when the expectation is met, and what is said when it is not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from knavtool.kube.resource import JOBS, NODES, PODS, Manifest, Resource
from knavtool.kube.store import Stores
from knavtool.workflow.submission import Instance, Submission, Submitted
from knavtool.workflow.task import Outcome
from support.memory import Memory
from support.workflows import Bench, jobs, planned, pod, register, submit, task

JOB_SETS = Resource("jobset.x-k8s.io", "v1", "jobsets", "JobSet", namespaced=True)


class _Cluster:
    """A Job in memory, and pods of it."""

    def __init__(self, directory: Path, pods: int = 2) -> None:
        self.memory = Memory([JOB_SETS])
        self.bench = Bench(self.memory)
        self.directory = directory
        self.pods = pods

    async def submitted(self, *names: str) -> list[Manifest]:
        built = planned(self.directory, register(), submit(count=len(names)))
        await self.bench.run(built, "job", jobs(*names, pods=self.pods))
        return [await self.memory.get(JOBS, name, namespace="default") | _HEAD for name in names]

    async def add(self, *pods: Manifest) -> None:
        for one in pods:
            self.put(one)

    def put(self, one: Manifest) -> None:
        """Store a pod with its own uid and status, as a controller would make it over time."""
        from knavtool.kube.gateway import Change

        key = ("default", one["metadata"]["name"])
        known = key in self.memory._all(PODS)
        self.memory._store(PODS, key, one, Change.MODIFIED if known else Change.ADDED)

    def remove(self, name: str) -> None:
        self.memory._remove(PODS, ("default", name))

    async def check(self, **params: Any) -> Outcome:
        built = planned(self.directory, register(), submit(), task("CheckPod", "check", refTaskId="job", **params))
        return await self.bench.run(built, "check")


_HEAD = {"apiVersion": "batch/v1", "kind": "Job"}


@pytest.fixture
def cluster(tmp_path: Path) -> _Cluster:
    return _Cluster(tmp_path)


async def test_one_look_counts_pods_by_owner_whatever_their_names(cluster: _Cluster) -> None:
    (job,) = await cluster.submitted("a")
    await cluster.add(pod("x", job), pod("y", job))
    outcome = await cluster.check(status="Running")
    assert outcome.passed, outcome.message
    assert outcome.data == {"expected": 2, "matching": 2, "phases": {"Running": 2}, "nodes": 0}


async def test_pods_of_an_earlier_job_of_that_name_do_not_count(cluster: _Cluster) -> None:
    (job,) = await cluster.submitted("a")
    earlier = {**_HEAD, "metadata": {"name": "a", "uid": "earlier"}}
    await cluster.add(pod("a-0-x", job), pod("a-1-x", earlier))
    outcome = await cluster.check(status="Running")
    assert not outcome.passed
    assert outcome.message.splitlines()[0] == "1 of 2 pods are Running (1 Running)"


async def test_names_must_fit_as_a_whole(cluster: _Cluster) -> None:
    await cluster.submitted("a")
    await cluster.add(pod("a-0"), pod("my-a-0"))
    outcome = await cluster.check(status="Running")
    assert outcome.data["phases"] == {"Running": 1}


async def test_owners_in_between_lead_to_our_objects(cluster: _Cluster) -> None:
    memory, bench = cluster.memory, cluster.bench
    made = await memory.create(JOB_SETS, {"metadata": {"name": "a"}}, namespace="default")
    other = await memory.create(JOB_SETS, {"metadata": {"name": "b"}}, namespace="default")
    bench.submitted[1] = Submission(
        instances=[
            Instance(
                objects=[Submitted(resource=JOB_SETS, namespace="default", name="a", uid=made["metadata"]["uid"])],
                pods=jobs("a").pod_patterns[0],
                pod_count=1,
                namespaces=("default",),
            )
        ]
    )
    for number, owner in enumerate((made, other)):
        reference = {"apiVersion": JOB_SETS.api_version, "kind": "JobSet", "uid": owner["metadata"]["uid"], "name": "n"}
        body = {"metadata": {"name": f"a-{number}", "ownerReferences": [reference]}}
        created = await memory.create(JOBS, body, namespace="default")
        await cluster.add(pod(f"a-{number}-0", {**_HEAD, **created}))
    outcome = await cluster.check(status="Running", timeout="60s")
    assert outcome.passed, outcome.message
    assert outcome.data["phases"] == {"Running": 1}


async def test_waits_until_all_are_in_the_phase_at_one_moment(cluster: _Cluster) -> None:
    (job,) = await cluster.submitted("a")
    await cluster.add(pod("x", job, phase="Pending"), pod("y", job, phase="Pending"))
    checking = asyncio.create_task(cluster.check(status="Running", timeout="60s"))
    for phases in (("Running", "Pending"), ("Succeeded", "Running"), ("Running", "Running")):
        assert not checking.done()
        for name, phase in zip("xy", phases, strict=True):
            cluster.put(pod(name, job, phase=phase))
            for _ in range(20):
                await asyncio.sleep(0)
    assert (await checking).passed


async def test_a_deleted_pod_does_not_count(cluster: _Cluster) -> None:
    (job,) = await cluster.submitted("a")
    await cluster.add(pod("x", job), pod("y", job), pod("z", job))
    checking = asyncio.create_task(cluster.check(status="Running", timeout="60s"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not checking.done()
    cluster.remove("z")
    assert (await checking).passed


async def test_more_pods_than_expected_are_a_failure(cluster: _Cluster) -> None:
    (job,) = await cluster.submitted("a")
    await cluster.add(*(pod(name, job) for name in "xyz"))
    outcome = await cluster.check(status="Running")
    assert "1 more than expected" in outcome.message


async def test_pods_that_are_being_deleted_do_not_run(cluster: _Cluster) -> None:
    (job,) = await cluster.submitted("a")
    await cluster.add(pod("x", job), pod("y", job, leaving=True))
    outcome = await cluster.check(status="Running")
    assert outcome.data["phases"] == {"Running": 1, "Terminating": 1}


async def test_no_pods_expected_and_none_there(tmp_path: Path) -> None:
    cluster = _Cluster(tmp_path, pods=0)
    await cluster.submitted("a")
    assert (await cluster.check(status="Running", timeout="60s")).passed


async def _nodes(memory: Memory) -> None:
    for name, label in (("n1", "8"), ("n2", "4")):
        await memory.create(NODES, {"metadata": {"name": name, "labels": {"gpus": label}}})


async def test_node_labels_alone_are_enough(cluster: _Cluster) -> None:
    await _nodes(cluster.memory)
    (job,) = await cluster.submitted("a")
    await cluster.add(pod("x", job, node="n1"), pod("y", job, node="n1", phase="Pending"))
    assert (await cluster.check(nodeLabels={"gpus": "8"})).passed


async def test_a_wrong_node_is_named_with_its_label(cluster: _Cluster) -> None:
    await _nodes(cluster.memory)
    (job,) = await cluster.submitted("a")
    await cluster.add(pod("x", job, node="n1"), pod("y", job, node="n2"))
    outcome = await cluster.check(status="Running", nodeLabels={"gpus": "8", "rack": "r1"})
    assert outcome.message.splitlines() == [
        "0 of 2 pods are Running on nodes with gpus=8,rack=r1 (2 Running)",
        '  default/x: on node n1: label rack: expected "r1", actual absent',
        '  default/y: on node n2: label gpus: expected "8", actual "4", label rack: expected "r1", actual absent',
    ]


async def test_a_node_made_after_the_check_began_is_looked_up(cluster: _Cluster) -> None:
    (job,) = await cluster.submitted("a")
    checking = asyncio.create_task(cluster.check(status="Running", nodeLabels={"gpus": "8"}, timeout="60s"))
    for _ in range(20):
        await asyncio.sleep(0)
    await _nodes(cluster.memory)
    await cluster.add(pod("x", job, node="n1"), pod("y", job, node="n1"))
    assert (await checking).passed


async def test_time_up_tells_phases_and_the_schedulers_words(cluster: _Cluster) -> None:
    (job,) = await cluster.submitted("a")
    waits = {
        "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes are available"}
        ]
    }
    ended = {"containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}]}
    await cluster.add(pod("x", job, phase="Pending", **waits), pod("y", job, phase="Failed", **ended))
    outcome = await cluster.check(status="Running", timeout="10ms")
    assert not outcome.passed
    assert outcome.message.splitlines() == [
        "0 of 2 pods are Running after 0.01 s (1 Pending, 1 Failed)",
        "  pods that have already passed Running: 1 to Failed",
        "  default/x: Pending: Unschedulable: 0/2 nodes are available",
        "  default/y: Failed: container c ended with exit code 3: Error",
    ]


async def test_missing_pods_are_counted(cluster: _Cluster) -> None:
    await cluster.submitted("a")
    outcome = await cluster.check(status="Running", timeout="10ms")
    assert outcome.message.splitlines() == [
        "0 of 2 pods are Running after 0.01 s (no pods)",
        "  2 of 2 pods do not exist",
    ]


async def test_gates_that_hold_a_pod_back_are_named(cluster: _Cluster) -> None:
    (job,) = await cluster.submitted("a")
    said = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "non-empty gates"}
    held = pod("a-0", job, phase="Pending", conditions=[said])
    held["spec"] = {"schedulingGates": [{"name": "example.com/data-ready"}, {"name": "example.com/quota"}]}
    await cluster.add(held)
    outcome = await cluster.check(status="Running")
    assert "Pending: held back by its scheduling gates: example.com/data-ready, example.com/quota" in outcome.message


async def test_a_count_in_place_of_the_registered_one(cluster: _Cluster) -> None:
    (job,) = await cluster.submitted("a")
    await cluster.add(pod("a-0", job), pod("a-1", job))
    outcome = await cluster.check(status="Running", count=4)
    assert outcome.message.splitlines() == [
        "2 of 4 pods are Running (2 Running)",
        "  2 of 4 pods do not exist",
    ]
    checking = asyncio.create_task(cluster.check(status="Running", count=4, timeout="60s"))
    for number in (2, 3):
        for _ in range(20):
            await asyncio.sleep(0)
        assert not checking.done()
        await cluster.add(pod(f"a-{number}", job))
    assert (await checking).message == "4 of 4 pods are Running"
    # And the number that the template said is wrong now.
    assert (await cluster.check(status="Running")).message.splitlines()[1] == "  2 more than expected"


@pytest.mark.parametrize(
    ("count", "passed", "message"),
    [
        ({"min": 3}, False, "2 pods are Running, expected at least 3 (2 Running)"),
        ({"min": 2}, True, "2 pods are Running, expected at least 2"),
        ({"max": 1}, False, "2 pods are Running, expected at most 1 (2 Running)"),
        ({"max": 2}, True, "2 pods are Running, expected at most 2"),
        ({"min": 1, "max": 3}, True, "2 pods are Running, expected 1 to 3"),
        ("{{.parallelism}}", True, "2 of 2 pods are Running"),
        ("{{.parallelism}} * 2 - 1", False, "2 of 3 pods are Running (2 Running)"),
        (0, False, "2 of 0 pods are Running (2 Running)"),
    ],
)
async def test_how_many_pods(cluster: _Cluster, count: Any, passed: bool, message: str) -> None:
    (job,) = await cluster.submitted("a")
    await cluster.add(pod("a-0", job), pod("a-1", job))
    outcome = await cluster.check(status="Running", count=count)
    assert (outcome.passed, outcome.message.splitlines()[0]) == (passed, message)


async def test_a_count_is_that_of_each_object(cluster: _Cluster) -> None:
    first, second = await cluster.submitted("a", "b")
    await cluster.add(pod("a-0", first), pod("b-0", second))
    assert (await cluster.check(status="Running", count=1)).message == "2 of 2 pods are Running"
    assert (await cluster.check(status="Running", count={"min": 2})).message.startswith(
        "2 pods are Running, expected at least 4"
    )


async def test_each_round_of_a_loop_has_its_own_count(cluster: _Cluster, tmp_path: Path) -> None:
    loop = {**submit(params={"namespace": "default", "parallelism": "${n}"}), "foreach": {"n": [1, 2]}}
    check = task("CheckPod", "check", refTaskId="job", status="Running", count="{{.parallelism}} + 1")
    built = planned(tmp_path, register(), loop, check)
    for name, found in zip("ab", [one for one in built.tasks() if one.document.id == "job"], strict=True):
        async with Stores(cluster.memory) as stores:
            await cluster.bench._run(found, stores, jobs(name, pods=1), built.observed)
    outcome = await cluster.bench.run(built, "check")
    assert outcome.data["expected"] == 5
