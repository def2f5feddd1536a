"""CheckConfigmap on config maps in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import Forbidden
from knavtool.kube.resource import CONFIG_MAPS
from knavtool.workflow.task import Outcome
from support.memory import Memory
from support.workflows import Bench, faults, planned, task


class _Cluster:
    def __init__(self, directory: Path) -> None:
        self.memory = Memory()
        self.directory = directory

    async def make(self, **data: str) -> None:
        body: dict[str, Any] = {"metadata": {"name": "c"}} | ({"data": data} if data else {})
        await self.memory.create(CONFIG_MAPS, body, namespace="default")

    async def check(self, op: str, data: Any, **params: Any) -> Outcome:
        given = task("CheckConfigmap", "it", name="c", namespace="default", op=op, data=data, **params)
        return await Bench(self.memory).run(planned(self.directory, given), "it")


@pytest.fixture
def cluster(tmp_path: Path) -> _Cluster:
    return _Cluster(tmp_path)


@pytest.mark.parametrize(
    ("op", "data", "wrong"),
    [
        ("subset", {"a": 1}, []),
        ("subset", {}, []),
        ("equal", {"a": 1, "b": "x"}, []),
        ("equal", {"a": "1"}, ['data.b: expected absent, actual "x"']),
        ("equal", {}, ['data.a: expected absent, actual "1"', 'data.b: expected absent, actual "x"']),
        ("subset", {"a": "2", "c": None}, ['data.a: expected "2", actual "1"', 'data.c: expected "", actual absent']),
    ],
)
async def test_one_look(cluster: _Cluster, op: str, data: Any, wrong: list[str]) -> None:
    await cluster.make(a="1", b="x")
    outcome = await cluster.check(op, data)
    assert outcome.passed is not bool(wrong)
    assert outcome.message.splitlines()[1:] == [f"  {line}" for line in wrong]
    assert [verb for verb, _, _ in cluster.memory.calls] == ["create", "get"]


async def test_no_data_equals_no_data(cluster: _Cluster) -> None:
    await cluster.make()
    assert (await cluster.check("equal", None)).message == "config map default/c has exactly the data"
    assert (await cluster.check("subset", {"a": ""})).data == {
        "exists": True,
        "mismatches": [{"path": "data.a", "expected": '""', "actual": "absent"}],
    }


async def test_one_that_does_not_exist_is_a_failed_check(cluster: _Cluster) -> None:
    outcome = await cluster.check("subset", {})
    assert (outcome.passed, outcome.message) == (False, "config map default/c does not exist")
    outcome = await cluster.check("subset", {}, timeout="10ms")
    assert (outcome.passed, outcome.message) == (False, "config map default/c does not exist after 0.01 s")


async def test_a_refusal_is_an_error(cluster: _Cluster) -> None:
    cluster.memory.refuse["get", "ConfigMap"] = Forbidden("get configmaps default/c: no", status=403)
    with pytest.raises(Forbidden):
        await cluster.check("subset", {})


async def test_it_waits_until_it_fits(cluster: _Cluster) -> None:
    checking = asyncio.create_task(cluster.check("equal", {"a": "2"}, timeout="60s"))
    steps = (
        lambda: cluster.make(a="1"),
        lambda: cluster.memory.delete(CONFIG_MAPS, "c", namespace="default"),
        lambda: cluster.make(a="1"),
        lambda: cluster.memory.patch(CONFIG_MAPS, "c", {"data": {"a": "2"}}, namespace="default"),
    )
    for step in steps:
        for _ in range(20):
            await asyncio.sleep(0)
        assert not checking.done()
        await step()
    assert (await checking).passed
    assert "get" not in {verb for verb, _, _ in cluster.memory.calls}


async def test_what_was_seen_last_is_told(cluster: _Cluster) -> None:
    await cluster.make(a="1")
    outcome = await cluster.check("subset", {"a": "2"}, timeout="10ms")
    assert outcome.message.splitlines() == [
        "config map default/c differs after 0.01 s",
        '  data.a: expected "2", actual "1"',
    ]


def test_faults(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, task("CheckConfigmap", name="c", namespace="d", op="same", data={}))
    assert found.path == "tasks[0].params.op"
