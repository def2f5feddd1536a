"""UpdateObj and DeleteObj on objects that are chosen by kind: whose they are, and how they are given back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import InvalidDocument, NotFound
from knavtool.events import Noted
from knavtool.kube.gateway import Change
from knavtool.kube.resource import CONFIG_MAPS, JOBS, NAMESPACES, NODES, PODS, Resource
from knavtool.workflow.task import Outcome
from knavtool.workflow.undoing.cleanup import undo
from support.memory import Memory
from support.workflows import Bench, faults, jobs, planned, register, submit, task

QUEUED = Resource("queues.example.com", "v1", "queueds", "Queued", namespaced=True)
OF_MAPS = {"apiVersion": "v1", "kind": "ConfigMap"}
OF_NODES = {"apiVersion": "v1", "kind": "Node"}
OF_PODS = {"apiVersion": "v1", "kind": "Pod"}
OURS = {"app.kubernetes.io/managed-by": "knavtool"}


class _Cluster:
    def __init__(self, directory: Path) -> None:
        self.memory = Memory([QUEUED])
        self.notes: list[str] = []
        self.bench = Bench(
            self.memory, emit=lambda event: self.notes.append(event.message) if isinstance(event, Noted) else None
        )
        self.directory = directory

    async def submitted(self, *names: str) -> None:
        await self.bench.run(planned(self.directory, register(), submit(count=len(names))), "job", jobs(*names))

    async def make(self, resource: Resource, name: str, *, owned_by: str = "", **body: Any) -> dict[str, Any]:
        metadata: dict[str, Any] = {"name": name, "labels": body.pop("labels", {})}
        if owned_by:
            job = (await self.memory.get(JOBS, owned_by, namespace="default"))["metadata"]
            reference = {"apiVersion": "batch/v1", "kind": "Job", "name": owned_by, "uid": job["uid"]}
            metadata["ownerReferences"] = [reference]
        place = "default" if resource.namespaced else None
        await self.memory.create(resource, {"metadata": metadata, **body}, namespace=place)
        return await self.memory.get(resource, name, namespace=place)

    async def run(self, type_: str, **params: Any) -> Outcome:
        built = planned(self.directory, register(), submit(), task(type_, "it", **params))
        return await self.bench.run(built, "it")

    async def clean_up(self) -> None:
        await undo(self.bench.ledger, self.memory, steps=self.bench.steps, timeout=10)

    async def data(self, name: str) -> Any:
        return (await self.memory.get(CONFIG_MAPS, name, namespace="default"))["data"]


@pytest.fixture
def cluster(tmp_path: Path) -> _Cluster:
    return _Cluster(tmp_path)


async def test_what_others_made_is_left_alone(cluster: _Cluster) -> None:
    await cluster.make(CONFIG_MAPS, "theirs", data={"k": "1"})
    for type_, more in (("UpdateObj", {"state": {"data": {"k": "2"}}}), ("DeleteObj", {})):
        with pytest.raises(NotFound) as caught:
            await cluster.run(type_, **OF_MAPS, name="theirs", **more)
        assert caught.value.message == (
            "there is no ConfigMap theirs in namespace default that this run or knavtool made"
        )
        assert caught.value.hint == "allowOthers: true chooses among the objects of others too, 1 of them"
    assert await cluster.data("theirs") == {"k": "1"}


async def test_that_nothing_is_chosen_is_an_error(cluster: _Cluster) -> None:
    await cluster.make(CONFIG_MAPS, "settings")
    with pytest.raises(NotFound) as caught:
        await cluster.run("DeleteObj", **OF_MAPS, name="setings")
    assert caught.value.message.splitlines() == [
        "there is no ConfigMap setings in namespace default",
        "did you mean 'settings'?",
    ]


async def test_a_change_of_others_is_taken_back(cluster: _Cluster) -> None:
    await cluster.make(CONFIG_MAPS, "theirs", data={"k": "1", "other": "x"})
    state = {"data": {"k": "2"}}
    outcome = await cluster.run("UpdateObj", **OF_MAPS, name="theirs", state=state, allowOthers=True)
    assert outcome.message == "1 ConfigMap changed"
    assert await cluster.data("theirs") == {"k": "2", "other": "x"}
    await cluster.clean_up()
    assert await cluster.data("theirs") == {"k": "1", "other": "x"}


async def test_a_deletion_of_others_is_taken_back(cluster: _Cluster) -> None:
    await cluster.make(CONFIG_MAPS, "theirs", data={"k": "1"}, labels={"a": "b"})
    outcome = await cluster.run("DeleteObj", **OF_MAPS, labels={"a": "b"}, allowOthers=True, wait=True)
    assert outcome.message == "1 ConfigMap deleted"
    assert await cluster.memory.list(CONFIG_MAPS) == []
    await cluster.clean_up()
    assert await cluster.data("theirs") == {"k": "1"}


async def test_what_was_changed_and_then_deleted_is_as_before(cluster: _Cluster) -> None:
    await cluster.make(CONFIG_MAPS, "theirs", data={"k": "1"})
    await cluster.run("UpdateObj", **OF_MAPS, name="theirs", state={"data": {"k": "2"}}, allowOthers=True)
    await cluster.run("DeleteObj", **OF_MAPS, name="theirs", allowOthers=True)
    await cluster.clean_up()
    assert await cluster.data("theirs") == {"k": "1"}


async def test_what_is_still_leaving_is_waited_for(cluster: _Cluster) -> None:
    await cluster.make(CONFIG_MAPS, "theirs", data={"k": "1"})
    await cluster.run("DeleteObj", **OF_MAPS, name="theirs", allowOthers=True)
    (group,) = [group for group in cluster.bench.ledger.groups if group.before]
    # A finalizer holds it up: it is there again, as the server shows it until then.
    gone = group.before[0].manifest
    leaving = {**gone, "metadata": {**gone["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    cluster.memory._store(CONFIG_MAPS, ("default", "theirs"), leaving, Change.ADDED)
    cleaning = asyncio.create_task(cluster.clean_up())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not cleaning.done()
    await cluster.memory.delete(CONFIG_MAPS, "theirs", namespace="default")
    await cleaning
    live = await cluster.memory.get(CONFIG_MAPS, "theirs", namespace="default")
    assert live["metadata"]["uid"] != gone["metadata"]["uid"]


async def test_what_the_run_owns_is_changed_and_goes_with_it(cluster: _Cluster) -> None:
    await cluster.submitted("a")
    await cluster.make(QUEUED, "mine", owned_by="a", spec={"active": True})
    await cluster.make(QUEUED, "theirs", spec={"active": True})
    chosen = {"apiVersion": "queues.example.com/v1", "kind": "Queued", "ownedBy": "job"}
    assert (await cluster.run("UpdateObj", **chosen, state={"spec": {"active": False}})).message == "1 Queued changed"
    assert [group.changed for group in cluster.bench.ledger.groups if group.changed] == []
    active = {item["metadata"]["name"]: item["spec"]["active"] for item in await cluster.memory.list(QUEUED)}
    assert active == {"mine": False, "theirs": True}
    assert (await cluster.run("DeleteObj", **chosen)).message == "1 Queued deleted"
    assert [group.before for group in cluster.bench.ledger.groups if group.before] == []


async def test_those_of_others_are_passed_over_and_told(cluster: _Cluster) -> None:
    await cluster.submitted("a")
    await cluster.make(PODS, "mine", owned_by="a", labels={"a": "b"})
    await cluster.make(PODS, "theirs", labels={"a": "b"})
    assert (await cluster.run("DeleteObj", **OF_PODS, labels={"a": "b"})).message == "1 Pod deleted"
    assert [item["metadata"]["name"] for item in await cluster.memory.list(PODS)] == ["theirs"]
    assert "1 Pod of others left alone; allowOthers: true would choose them too" in cluster.notes


async def test_an_object_that_the_run_made_is_forgotten(cluster: _Cluster) -> None:
    await cluster.submitted("a", "b")
    outcome = await cluster.run("DeleteObj", apiVersion="batch/v1", kind="Job", name="a")
    assert outcome.message == "1 Job deleted"
    assert [made.name for made in cluster.bench.ledger.made()] == ["b"]


async def test_what_existed_before_it_was_submitted_is_of_others(cluster: _Cluster) -> None:
    await cluster.make(JOBS, "a")
    built = planned(cluster.directory, register(), submit(canExist=True))
    await cluster.bench.run(built, "job", jobs("a"))
    await cluster.make(PODS, "p", owned_by="a")
    with pytest.raises(NotFound, match="that this run or knavtool made"):
        await cluster.run("DeleteObj", **OF_PODS, ownedBy="job")


async def test_a_node_of_ours_is_changed_and_brought_back(cluster: _Cluster) -> None:
    status = {"capacity": {"cpu": "1"}, "conditions": [{"type": "Ready", "status": "True"}]}
    await cluster.make(NODES, "n1", labels={**OURS, "type": "kwok"}, status=status)
    await cluster.make(NODES, "real")
    await cluster.run("UpdateObj", **OF_NODES, name="n1", state={"spec": {"unschedulable": True}})
    with pytest.raises(NotFound):
        await cluster.run("UpdateObj", **OF_NODES, name="real", state={"spec": {"unschedulable": True}})
    await cluster.run("DeleteObj", **OF_NODES, name="n1")
    assert [node["metadata"]["name"] for node in await cluster.memory.list(NODES)] == ["real"]
    await cluster.clean_up()
    cordoned = {
        node["metadata"]["name"]: node.get("spec", {}).get("unschedulable", False)
        for node in await cluster.memory.list(NODES)
    }
    assert cordoned == {"n1": False, "real": False}


@pytest.mark.parametrize("resource", [NODES, NAMESPACES])
async def test_what_cannot_be_brought_back_is_not_deleted(cluster: _Cluster, resource: Resource) -> None:
    await cluster.make(resource, "theirs")
    chosen = {"apiVersion": resource.api_version, "kind": resource.kind, "name": "theirs"}
    with pytest.raises(InvalidDocument, match=r"is of others, and a .* cannot be brought back"):
        await cluster.run("DeleteObj", **chosen, allowOthers=True)
    assert len(await cluster.memory.list(resource)) == 1


async def test_a_check_sees_what_was_changed_by_kind(cluster: _Cluster) -> None:
    await cluster.submitted("a")
    chosen = {"apiVersion": "batch/v1", "kind": "Job", "name": "a"}
    await cluster.run("UpdateObj", **chosen, state={"metadata": {"labels": {"a": "b"}}})
    assert cluster.bench.submissions["job"].objects()[0].version > 0


@pytest.mark.parametrize(
    ("type_", "params", "fault"),
    [
        ("DeleteObj", OF_MAPS, "tasks[2].params: expected at least one of name, labels and ownedBy"),
        (
            "UpdateObj",
            {**OF_MAPS, "state": {"data": {}}},
            "tasks[2].params: expected at least one of name, labels and ownedBy",
        ),
        (
            "DeleteObj",
            {"refTaskId": "job", "allowOthers": True},
            "params.allowOthers: expected allowOthers together with kind, not with refTaskId",
        ),
        (
            "UpdateObj",
            {**OF_MAPS, "name": "a", "state": {"kind": "Secret", "data": {}}},
            "params.state.kind: the object's kind is 'ConfigMap', and it cannot be changed",
        ),
        (
            "UpdateObj",
            {**OF_MAPS, "name": "a", "state": {"metadata": {"name": "b"}}},
            "params.state.metadata.name: the object's metadata.name is 'a', and it cannot be changed",
        ),
        ("DeleteObj", {**OF_MAPS, "ownedBy": "x"}, "params.ownedBy: no earlier SubmitObj task has the id 'x'"),
    ],
)
def test_faults(tmp_path: Path, type_: str, params: dict[str, Any], fault: str) -> None:
    found = faults(tmp_path, register(), submit(), task(type_, "it", **params))
    assert any(fault in str(one) for one in found), [str(one) for one in found]
