"""Which pods belong to what, through owners in between; and how few questions that takes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from knavtool.errors import Forbidden
from knavtool.kube.gateway import Change
from knavtool.kube.resource import JOBS, PODS, Manifest, Resource
from knavtool.workflow.observing.family import Family
from knavtool.workflow.observing.gangs import Gangs
from knavtool.workflow.observing.pod_log import PodTimes
from knavtool.workflow.references.amounts import Amount
from knavtool.workflow.references.regexps import compile_pattern
from knavtool.workflow.submission import Instance, Submission, Submitted
from support.memory import Memory
from support.workflows import pod

JOB_SETS = Resource("jobset.x-k8s.io", "v1", "jobsets", "JobSet", namespaced=True)


class _Cluster:
    def __init__(self) -> None:
        self.memory = Memory([JOB_SETS])
        self.instances: list[Instance] = []
        self.pods: list[Manifest] = []

    async def make(self, resource: Resource, name: str, owner: Manifest | None = None) -> Manifest:
        reference = [] if owner is None else pod("x", owner)["metadata"]["ownerReferences"]
        body: dict[str, Any] = {"metadata": {"name": name, "ownerReferences": reference}}
        made = await self.memory.create(resource, body, namespace="default")
        return {"apiVersion": resource.api_version, "kind": resource.kind, **made}

    async def submit(
        self, resource: Resource, name: str, *, pattern: str = ".*", namespace: str = "default"
    ) -> Manifest:
        made = await self.make(resource, name)
        item = Submitted(resource=resource, namespace=namespace, name=name, uid=made["metadata"]["uid"])
        self.instances.append(
            Instance(objects=[item], pods=compile_pattern(pattern), pod_count=1, namespaces=(namespace,))
        )
        return made

    def add_pod(self, name: str, owner: Manifest) -> None:
        one = pod(name, owner, node="n1")
        self.pods.append(one)
        self.memory._store(PODS, ("default", name), one, Change.ADDED)

    async def gangs(self) -> dict[str, list[str]]:
        """The names of the pods of each gang."""
        gangs = Gangs(Submission(instances=self.instances), [Amount.exactly(1)] * len(self.instances))
        await gangs.sort(self.memory, [PodTimes(pod=one, created=0, bound=0) for one in self.pods])
        return {gang.title: [times.pod["metadata"]["name"] for times in gang.pods] for gang in gangs.all}

    async def members(self) -> set[str]:
        family = Family(Submission(instances=self.instances))
        while True:
            found = {one["metadata"]["name"] for one in self.pods if family.has(one)}
            if not await family.verify(self.memory):
                return found

    def asked(self) -> Counter[str]:
        return Counter(verb for verb, kind, _ in self.memory.calls if verb in ("get", "list") and kind != "Pod")


@pytest.fixture
def cluster() -> _Cluster:
    return _Cluster()


async def _job_sets(cluster: _Cluster, count: int) -> None:
    for number in range(count):
        made = await cluster.submit(JOB_SETS, f"set{number}")
        job = await cluster.make(JOBS, f"set{number}-workers-0", made)
        cluster.add_pod(f"set{number}-workers-0-0-x", job)


async def test_owners_in_between_are_listed_once_for_all_gangs(cluster: _Cluster) -> None:
    await _job_sets(cluster, 200)
    cluster.memory.calls.clear()
    gangs = await cluster.gangs()
    assert gangs == {f"JobSet default/set{n}": [f"set{n}-workers-0-0-x"] for n in range(200)}
    assert cluster.asked() == {"list": 1}


async def test_owners_that_cannot_be_listed_are_read_once_each(cluster: _Cluster) -> None:
    await _job_sets(cluster, 20)
    cluster.memory.calls.clear()
    cluster.memory.refuse["list", "Job"] = Forbidden("list jobs: no", status=403)
    gangs = await cluster.gangs()
    assert all(len(pods) == 1 for pods in gangs.values())
    assert cluster.asked() == {"list": 1, "get": 20}


async def test_owners_of_the_pods_of_all_objects_are_listed_once(cluster: _Cluster) -> None:
    await _job_sets(cluster, 200)
    cluster.memory.calls.clear()
    assert len(await cluster.members()) == 200
    assert cluster.asked() == {"list": 1}


async def test_pods_of_strangers_are_told_apart_without_asking_again(cluster: _Cluster) -> None:
    await _job_sets(cluster, 20)
    other = await cluster.make(JOB_SETS, "other")
    for number in range(20):
        cluster.add_pod(f"other-{number}", await cluster.make(JOBS, f"other-{number}", other))
    cluster.memory.calls.clear()
    gangs = await cluster.gangs()
    assert all(len(pods) == 1 for pods in gangs.values())
    assert cluster.asked() == {"list": 1}
    assert len(await cluster.members()) == 20


@pytest.mark.parametrize("turned", [False, True])
async def test_an_object_of_one_kind_may_make_objects_of_another(cluster: _Cluster, turned: bool) -> None:
    """A loop submits Jobs and JobSets; the Jobs of the JobSets are none of an earlier run."""
    first, second = (JOB_SETS, JOBS) if turned else (JOBS, JOB_SETS)
    made = {resource: await cluster.submit(resource, resource.kind.lower()) for resource in (first, second)}
    cluster.add_pod("job-x", made[JOBS])
    cluster.add_pod("jobset-x", await cluster.make(JOBS, "jobset-workers-0", made[JOB_SETS]))
    cluster.add_pod("earlier-x", await cluster.make(JOBS, "earlier"))
    assert await cluster.gangs() == {"Job default/job": ["job-x"], "JobSet default/jobset": ["jobset-x"]}
    assert await cluster.members() == {"job-x", "jobset-x"}


async def test_pods_and_what_makes_pods_may_be_submitted_together(cluster: _Cluster) -> None:
    await cluster.submit(PODS, "naked")
    cluster.pods.append(await cluster.memory.get(PODS, "naked", namespace="default"))
    made = await cluster.submit(JOB_SETS, "set")
    cluster.add_pod("set-x", await cluster.make(JOBS, "set-workers-0", made))
    cluster.pods.append(pod("stranger"))
    assert await cluster.members() == {"naked", "set-x"}


async def test_a_pod_whose_owner_is_gone_belongs_by_its_name_but_not_if_its_owner_was_of_our_kind(
    cluster: _Cluster,
) -> None:
    await cluster.submit(JOB_SETS, "set", pattern="set-.*")
    gone = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "gone", "uid": "gone"}}
    cluster.add_pod("set-gone", gone)
    cluster.add_pod("set-earlier", gone | {"apiVersion": JOB_SETS.api_version, "kind": "JobSet"})
    assert await cluster.members() == {"set-gone"}
    assert await cluster.gangs() == {"JobSet default/set": ["set-gone"]}
