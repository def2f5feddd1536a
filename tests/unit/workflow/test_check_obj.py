"""CheckObj and DeleteObj on objects in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import Forbidden
from knavtool.kube.resource import JOBS
from knavtool.workflow.task import Outcome
from support.memory import Memory
from support.workflows import Bench, jobs, planned, register, submit, task


class _Cluster:
    def __init__(self, directory: Path) -> None:
        self.memory = Memory()
        self.bench = Bench(self.memory)
        self.directory = directory

    async def submitted(self, *names: str) -> None:
        await self.bench.run(planned(self.directory, register(), submit(count=len(names))), "job", jobs(*names))

    async def status(self, name: str, **status: Any) -> None:
        await self.memory.patch(JOBS, name, {"status": status}, namespace="default", subresource="status")

    async def run(self, type_: str, **params: Any) -> Outcome:
        built = planned(self.directory, register(), submit(), task(type_, "it", refTaskId="job", **params))
        return await self.bench.run(built, "it")


@pytest.fixture
def cluster(tmp_path: Path) -> _Cluster:
    return _Cluster(tmp_path)


async def test_one_look(cluster: _Cluster) -> None:
    await cluster.submitted("a", "b")
    await cluster.status("a", active=3)
    outcome = await cluster.run("CheckObj", state={"status": {"active": 3}})
    assert not outcome.passed
    assert outcome.message.splitlines() == [
        "1 of 2 objects match",
        "Job default/b:",
        "  status.active: expected 3, actual absent",
    ]
    assert outcome.data["mismatches"] == {
        "Job default/b": [{"path": "status.active", "expected": "3", "actual": "absent"}]
    }


async def test_all_must_match_at_one_moment(cluster: _Cluster) -> None:
    await cluster.submitted("a", "b")
    await cluster.status("a", active=3)
    checking = asyncio.create_task(cluster.run("CheckObj", state={"status": {"active": 3}}, timeout="60s"))
    for name, active in (("a", 1), ("b", 3), ("a", 3)):
        for _ in range(20):
            await asyncio.sleep(0)
        assert not checking.done()
        await cluster.status(name, active=active)
    assert (await checking).passed


async def test_nothing_is_read_per_event(cluster: _Cluster) -> None:
    await cluster.submitted("a", "b")
    checking = asyncio.create_task(cluster.run("CheckObj", state={"status": {"active": 1}}, timeout="60s"))
    for name in "ab":
        for _ in range(20):
            await asyncio.sleep(0)
        await cluster.status(name, active=1)
    assert (await checking).passed
    assert [verb for verb, _, _ in cluster.memory.calls if verb in ("get", "list")] == []


async def test_a_deleted_object_does_not_match_nor_does_its_successor(cluster: _Cluster) -> None:
    await cluster.submitted("a")
    await cluster.memory.delete(JOBS, "a", namespace="default")
    await cluster.memory.create(JOBS, {"metadata": {"name": "a"}}, namespace="default")
    outcome = await cluster.run("CheckObj", state={"metadata": {"name": "a"}}, timeout="10ms")
    assert outcome.message.splitlines() == ["0 of 1 objects match after 0.01 s", "Job default/a: does not exist"]


async def test_delete_forgets_the_objects(cluster: _Cluster) -> None:
    await cluster.submitted("a", "b")
    outcome = await cluster.run("DeleteObj", wait=True)
    assert outcome.message == "2 Jobs deleted"
    assert await cluster.memory.list(JOBS) == []
    assert list(cluster.bench.ledger.made()) == []
    assert (await cluster.run("DeleteObj")).message == "nothing deleted, 2 gone already"


async def test_a_refused_deletion_is_told_and_the_object_stays_in_the_ledger(cluster: _Cluster) -> None:
    await cluster.submitted("a", "b")
    cluster.memory.refuse["delete", "Job"] = Forbidden("delete jobs: not allowed", status=403)
    with pytest.raises(Forbidden, match="2 of 2 objects were not deleted: Job default/a: delete jobs: not allowed"):
        await cluster.run("DeleteObj")
    assert len(list(cluster.bench.ledger.made())) == 2
