"""CheckObj on objects that are chosen by kind, and by name, labels or owners."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import Forbidden, InvalidDocument, NotServed
from knavtool.kube.resource import CONFIG_MAPS, JOBS, NODES, PODS, Resource
from knavtool.workflow.task import Outcome
from support.memory import Memory
from support.workflows import Bench, faults, jobs, planned, register, submit, task

QUEUED = Resource("queues.example.com", "v1", "queueds", "Queued", namespaced=True)
OF_NODES = {"apiVersion": "v1", "kind": "Node"}
OF_MAPS = {"apiVersion": "v1", "kind": "ConfigMap"}
OF_QUEUED = {"apiVersion": "queues.example.com/v1", "kind": "Queued"}


def owner(resource: Resource, live: dict[str, Any]) -> dict[str, Any]:
    metadata = live["metadata"]
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }


class _Cluster:
    def __init__(self, directory: Path) -> None:
        self.memory = Memory([QUEUED])
        self.bench = Bench(self.memory)
        self.directory = directory

    async def submitted(self, *names: str) -> None:
        await self.bench.run(planned(self.directory, register(), submit(count=len(names))), "job", jobs(*names))

    async def make(
        self, resource: Resource, name: str, *owners: dict[str, Any], namespace: str = "default", **body: Any
    ) -> dict[str, Any]:
        """An object that somebody else makes; returns what refers to it as an owner."""
        metadata = {"name": name, "labels": body.pop("labels", {}), "ownerReferences": list(owners)}
        await self.memory.create(
            resource, {"metadata": metadata, **body}, namespace=namespace if resource.namespaced else None
        )
        return owner(resource, await self.memory.get(resource, name, namespace=namespace))

    async def of_job(self, name: str) -> dict[str, Any]:
        return owner(JOBS, await self.memory.get(JOBS, name, namespace="default"))

    async def check(self, **params: Any) -> Outcome:
        built = planned(self.directory, register(), submit(), task("CheckObj", "it", **params))
        return await self.bench.run(built, "it")


@pytest.fixture
def cluster(tmp_path: Path) -> _Cluster:
    return _Cluster(tmp_path)


async def test_an_object_by_its_name(cluster: _Cluster) -> None:
    await cluster.make(NODES, "n1", spec={"unschedulable": True})
    await cluster.make(NODES, "n2", spec={"taints": []})
    state = {"spec": {"unschedulable": True}}
    outcome = await cluster.check(**OF_NODES, name="n1", state=state)
    assert (outcome.passed, outcome.message) == (True, "1 of 1 Nodes match")
    outcome = await cluster.check(**OF_NODES, name="n2", state=state)
    assert not outcome.passed
    assert outcome.message.splitlines() == [
        "0 of 1 Nodes match, expected all: Node n2",
        "Node n2:",
        "  spec.unschedulable: expected true, actual absent",
    ]
    assert outcome.data["mismatches"] == {
        "Node n2": [{"path": "spec.unschedulable", "expected": "true", "actual": "absent"}]
    }


async def test_the_kind_is_part_of_a_listed_object(cluster: _Cluster) -> None:
    await cluster.make(NODES, "n1")
    assert (await cluster.check(**OF_NODES, name="n1", state=OF_NODES)).passed


async def test_without_a_state_the_object_has_to_be_there(cluster: _Cluster) -> None:
    await cluster.make(CONFIG_MAPS, "settings")
    assert (await cluster.check(**OF_MAPS, name="settings")).message == "1 of 1 ConfigMaps exist"


async def test_a_name_is_looked_for_in_the_default_namespace(cluster: _Cluster) -> None:
    await cluster.make(CONFIG_MAPS, "settings", namespace="team-a")
    outcome = await cluster.check(**OF_MAPS, name="settings")
    assert outcome.message.splitlines() == [
        "there is no ConfigMap settings in namespace default",
        "in other namespaces there are: team-a/settings",
    ]
    assert (await cluster.check(**OF_MAPS, name="settings", namespace="team-a")).passed


async def test_what_there_is_instead(cluster: _Cluster) -> None:
    for name in ("settings", "other"):
        await cluster.make(CONFIG_MAPS, name)
    outcome = await cluster.check(**OF_MAPS, name="setting")
    assert outcome.message.splitlines()[1:] == ["did you mean 'settings'?"]
    outcome = await cluster.check(**OF_MAPS, labels={"a": "b"})
    assert outcome.message.splitlines() == [
        "there is no ConfigMap with a=b",
        "there are: default/settings, default/other",
    ]
    outcome = await cluster.check(**OF_QUEUED, name="x")
    assert outcome.message.splitlines()[1:] == ["there is none anywhere"]


async def test_labels_choose_in_all_namespaces(cluster: _Cluster) -> None:
    for number, namespace in enumerate(("default", "team-a", "team-b")):
        await cluster.make(CONFIG_MAPS, f"c{number}", namespace=namespace, labels={"a": "b"}, data={"k": "v"})
    await cluster.make(CONFIG_MAPS, "other", labels={"a": "c"})
    chosen = {**OF_MAPS, "labels": {"a": "b"}}
    assert (await cluster.check(**chosen, state={"data": {"k": "v"}})).message == "3 of 3 ConfigMaps match"
    assert (await cluster.check(**chosen, namespace="team-a", count=1)).passed
    outcome = await cluster.check(**chosen, count=0)
    assert outcome.message.splitlines() == [
        "3 of 3 ConfigMaps exist, expected 0: ConfigMap with a=b",
        "ConfigMap default/c0",
        "ConfigMap team-a/c1",
        "ConfigMap team-b/c2",
    ]


@pytest.mark.parametrize(
    ("count", "passed"),
    [
        (2, True),
        (1, False),
        (3, False),
        ({"min": 1}, True),
        ({"min": 3}, False),
        ({"max": 2}, True),
        ({"max": 1}, False),
        ({"min": 1, "max": 2}, True),
        ("4 - 2", True),
    ],
)
async def test_how_many_match(cluster: _Cluster, count: Any, passed: bool) -> None:
    for name, value in (("a", "1"), ("b", "1"), ("c", "2")):
        await cluster.make(CONFIG_MAPS, name, data={"k": value})
    outcome = await cluster.check(**OF_MAPS, state={"data": {"k": "1"}}, count=count)
    assert outcome.passed is passed
    assert outcome.message.startswith("2 of 3 ConfigMaps match")


async def test_none_may_match(cluster: _Cluster) -> None:
    outcome = await cluster.check(**OF_MAPS, state={"data": {"k": "1"}}, count=0)
    assert (outcome.passed, outcome.message) == (True, "there is no ConfigMap")
    await cluster.make(CONFIG_MAPS, "a", data={"k": "2"})
    assert (await cluster.check(**OF_MAPS, state={"data": {"k": "1"}}, count=0)).passed
    await cluster.memory.patch(CONFIG_MAPS, "a", {"data": {"k": "1"}}, namespace="default")
    outcome = await cluster.check(**OF_MAPS, state={"data": {"k": "1"}}, count=0)
    assert outcome.message.splitlines() == [
        "1 of 1 ConfigMaps match, expected 0: ConfigMap",
        "ConfigMap default/a",
    ]


async def test_it_waits_for_what_comes_changes_and_goes(cluster: _Cluster) -> None:
    await cluster.make(CONFIG_MAPS, "a", data={"k": "1"})
    checking = asyncio.create_task(
        cluster.check(**OF_MAPS, state={"data": {"k": "1"}}, count={"min": 2, "max": 2}, timeout="60s")
    )
    steps = [
        lambda: cluster.make(CONFIG_MAPS, "b", data={"k": "2"}),
        lambda: cluster.memory.delete(CONFIG_MAPS, "a", namespace="default"),
        lambda: cluster.memory.patch(CONFIG_MAPS, "b", {"data": {"k": "1"}}, namespace="default"),
        lambda: cluster.make(CONFIG_MAPS, "c", data={"k": "1"}),
    ]
    for step in steps:
        for _ in range(20):
            await asyncio.sleep(0)
        assert not checking.done()
        await step()
    assert (await checking).message == "2 of 2 ConfigMaps match"


async def test_owned_at_any_depth_and_nothing_else(cluster: _Cluster) -> None:
    await cluster.submitted("a", "b")
    mine = await cluster.make(QUEUED, "mine", await cluster.of_job("a"))
    await cluster.make(CONFIG_MAPS, "deep", await cluster.make(QUEUED, "between", mine))
    stranger = await cluster.make(QUEUED, "stranger")
    await cluster.make(CONFIG_MAPS, "of-a-stranger", stranger)
    await cluster.make(CONFIG_MAPS, "of-nobody")
    outcome = await cluster.check(**OF_QUEUED, ownedBy="job", count=2)
    assert outcome.message == "2 of 2 Queueds exist"
    assert (await cluster.check(**OF_MAPS, ownedBy="job", count=1)).passed
    assert (await cluster.check(**OF_MAPS, ownedBy="job", labels={"no": "no"}, count=0)).passed
    assert (await cluster.check(apiVersion="batch/v1", kind="Job", ownedBy="job", count=0)).passed


async def test_an_owner_in_between_is_read_once(cluster: _Cluster) -> None:
    await cluster.submitted("a")
    between = await cluster.make(QUEUED, "between", await cluster.of_job("a"))
    for number in range(5):
        await cluster.make(CONFIG_MAPS, f"c{number}", between)
    cluster.memory.calls.clear()
    assert (await cluster.check(**OF_MAPS, ownedBy="job", count=5, timeout="10s")).passed
    assert [call for call in cluster.memory.calls if call[0] == "get"] == [("get", "Queued", "between")]


async def test_what_lost_its_owner_may_be_meant(cluster: _Cluster) -> None:
    await cluster.submitted("a")
    between = await cluster.make(QUEUED, "between", await cluster.of_job("a"))
    await cluster.make(CONFIG_MAPS, "left", between)
    await cluster.memory.delete(QUEUED, "between", namespace="default")
    outcome = await cluster.check(**OF_MAPS, ownedBy="job", count=0)
    assert not outcome.passed
    assert "whose owners are gone, so that they may be some of them: ConfigMap default/left" in outcome.message
    await cluster.memory.delete(CONFIG_MAPS, "left", namespace="default")
    assert (await cluster.check(**OF_MAPS, ownedBy="job", count=0)).passed


async def test_an_owner_that_may_not_be_read_is_no_answer(cluster: _Cluster) -> None:
    await cluster.submitted("a")
    await cluster.make(CONFIG_MAPS, "left", await cluster.make(QUEUED, "between", await cluster.of_job("a")))
    cluster.memory.refuse["get", "Queued"] = Forbidden("get queueds: not allowed", status=403)
    with pytest.raises(Forbidden, match="get queueds: not allowed"):
        await cluster.check(**OF_MAPS, ownedBy="job", count=0)


async def test_what_the_deleted_objects_owned_is_still_known(cluster: _Cluster) -> None:
    await cluster.submitted("a")
    await cluster.make(QUEUED, "mine", await cluster.of_job("a"))
    await cluster.memory.delete(JOBS, "a", namespace="default")
    assert not (await cluster.check(**OF_QUEUED, ownedBy="job", count=0)).passed


async def test_pods_are_compared_whole(cluster: _Cluster) -> None:
    await cluster.make(PODS, "p", spec={"priority": 7})
    assert (await cluster.check(apiVersion="v1", kind="Pod", name="p", state={"spec": {"priority": 7}})).passed


async def test_how_many_of_the_submitted_objects_match(cluster: _Cluster) -> None:
    await cluster.submitted("a", "b", "c")
    await cluster.memory.patch(JOBS, "a", {"status": {"active": 1}}, namespace="default", subresource="status")
    state = {"status": {"active": 1}}
    assert (await cluster.check(refTaskId="job", state=state, count=1)).passed
    outcome = await cluster.check(refTaskId="job", state=state, count={"min": 2})
    assert outcome.message.splitlines()[0] == "1 of 3 objects match, expected at least 2"
    assert not (await cluster.check(refTaskId="job", count=0)).passed
    assert (await cluster.check(refTaskId="job", count=3, timeout="10s")).passed


async def test_a_kind_that_is_not_served(cluster: _Cluster) -> None:
    with pytest.raises(NotServed):
        await cluster.check(apiVersion="example.com/v1", kind="Gadget", name="x")


async def test_a_namespace_of_what_lives_in_none(cluster: _Cluster) -> None:
    with pytest.raises(InvalidDocument, match="a Node lives in no namespace; leave it out"):
        await cluster.check(**OF_NODES, name="n", namespace="default")


@pytest.mark.parametrize(
    ("params", "fault"),
    [
        ({}, "tasks[2].params: expected refTaskId, or apiVersion and kind"),
        (
            {"refTaskId": "job", "state": {"a": 1}, **OF_NODES},
            "params.apiVersion: expected either refTaskId or kind, not both",
        ),
        (
            {"refTaskId": "job", "state": {"a": 1}, "name": "x"},
            "params.name: expected name together with kind, not with refTaskId",
        ),
        ({"kind": "Node", "name": "x"}, "tasks[2].params: the field 'apiVersion' is missing"),
        ({"name": "x"}, "tasks[2].params: expected refTaskId, or apiVersion and kind"),
        ({"refTaskId": "job"}, "tasks[2].params: the field 'state' is missing"),
        (
            {**OF_NODES, "name": "x", "labels": {"a": "b"}},
            "params.labels: expected either name or labels, not both",
        ),
        ({**OF_NODES, "index": 1}, "params.index: expected index together with refTaskId, not with kind"),
        ({**OF_NODES, "labels": {}}, "params.labels: must not be empty"),
        (
            {**OF_MAPS, "ownedBy": "jog"},
            "params.ownedBy: no earlier SubmitObj task has the id 'jog'; did you mean 'job'?",
        ),
        ({**OF_MAPS, "apiVersion": "batch"}, "'batch' is not valid; expected an API version, like v1 or batch/v1"),
        ({**OF_MAPS, "count": -1}, "params.count: -1 is out of range; expected at least 0"),
        ({**OF_MAPS, "count": "two"}, "params.count: 'two' is not a whole number"),
        ({**OF_MAPS, "count": "{{.n}}"}, "params.count: '{{.n}}' prints {{.n}}, which is not given"),
        ({**OF_MAPS, "count": {"mni": 1}}, "params.count.mni: unknown field 'mni'; did you mean 'min'?"),
        ({**OF_MAPS, "count": {"min": 3, "max": 2}}, "params.count.max: the maximum 2 is less than the minimum 3"),
    ],
)
def test_faults_of_a_reference(tmp_path: Path, params: dict[str, Any], fault: str) -> None:
    found = faults(tmp_path, register(), submit(), task("CheckObj", "it", **params))
    assert any(fault in str(one) for one in found), [str(one) for one in found]


async def test_time_that_is_up_is_told(cluster: _Cluster) -> None:
    outcome = await cluster.check(**OF_MAPS, name="settings", timeout="1ms")
    assert outcome.message.splitlines()[0] == "there is no ConfigMap settings in namespace default after 0.001 s"
