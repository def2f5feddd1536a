"""UpdateObj on objects in memory: what is sent, what is taken back, what is refused before anything is sent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import ClusterError, DeadlineExceeded, Forbidden, InvalidDocument, NotFound
from knavtool.kube.resource import CONFIG_MAPS, JOBS
from knavtool.workflow.task import Outcome, Rendering
from knavtool.workflow.undoing.cleanup import undo
from support.memory import Memory
from support.workflows import JOB, Bench, faults, item, jobs, planned, register, submit, task

SUSPEND = {"spec": {"suspend": True}}


class _Cluster:
    def __init__(self, directory: Path, *, restores: bool = True) -> None:
        self.memory = Memory()
        self.bench = Bench(self.memory, restores=restores)
        self.directory = directory

    async def submitted(self, rendering: Rendering) -> None:
        count = len(rendering.instances)
        await self.bench.run(planned(self.directory, register(), submit(count=count, canExist=True)), "job", rendering)
        self.memory.calls.clear()

    async def update(self, template: str = JOB, **params: Any) -> Outcome:
        tasks = register(), submit(), task("UpdateObj", "it", refTaskId="job", **params)
        built = planned(self.directory, *tasks, template=template)
        return await self.bench.run(built, "it")

    async def job(self, name: str) -> dict[str, Any]:
        return await self.memory.get(JOBS, name, namespace="default")

    async def clean(self) -> None:
        await undo(self.bench.ledger, self.memory, steps=self.bench.steps, timeout=60)

    def sent(self) -> list[tuple[str, str]]:
        return [(verb, name) for verb, _, name in self.memory.calls if verb not in ("list", "watch")]


@pytest.fixture
def cluster(tmp_path: Path) -> _Cluster:
    return _Cluster(tmp_path)


async def test_both_parts_of_all_objects(cluster: _Cluster) -> None:
    await cluster.submitted(jobs("a", "b"))
    outcome = await cluster.update(state={**SUSPEND, "metadata": {"labels": {"x": "y"}}, "status": {"active": 3}})
    assert (outcome.message, outcome.data) == ("2 Jobs changed", {"updated": 2})
    for name in ("a", "b"):
        job = await cluster.job(name)
        assert (job["spec"], job["metadata"]["labels"], job["status"]) == ({"suspend": True}, {"x": "y"}, {"active": 3})


async def test_only_what_there_is_to_send_is_sent(cluster: _Cluster) -> None:
    await cluster.submitted(jobs("a"))
    await cluster.update(state={"status": {"active": 1}})
    await cluster.update(state=SUSPEND)
    # The first one asks whether the status can be written.
    assert cluster.sent() == [("patch status", "a"), ("patch status", "a"), ("patch", "a")]


async def test_null_removes_and_any_field_is_sent(cluster: _Cluster) -> None:
    await cluster.submitted(
        Rendering(instances=((item("v1", "ConfigMap", "c", "default", data={"a": "1", "b": "2"}),),))
    )
    template = JOB.replace("kind: Job", "kind: ConfigMap").replace("batch/v1", "v1")
    await cluster.update(template, state={"kind": "ConfigMap", "data": {"a": None, "c": "3"}, "immutable": True})
    live = await cluster.memory.get(CONFIG_MAPS, "c", namespace="default")
    assert (live["data"], live["immutable"], live["kind"]) == ({"b": "2", "c": "3"}, True, "ConfigMap")


async def test_a_kind_without_a_status_is_told_before_anything_is_changed(cluster: _Cluster) -> None:
    await cluster.submitted(Rendering(instances=((item("v1", "ConfigMap", "c", "default"),),)))
    with pytest.raises(NotFound, match="v1 ConfigMap has no status that can be written; nothing was changed") as caught:
        await cluster.update(state={"data": {"a": "1"}, "status": {"x": 1}})
    assert "subresources: {status: {}}" in caught.value.hint
    assert "data" not in await cluster.memory.get(CONFIG_MAPS, "c", namespace="default")


async def test_an_object_that_is_gone(cluster: _Cluster) -> None:
    await cluster.submitted(jobs("a", "b"))
    await cluster.memory.delete(JOBS, "a", namespace="default")
    with pytest.raises(NotFound, match=r"1 of 2 objects were not changed: Job default/a: .* not found"):
        await cluster.update(state=SUSPEND)
    with pytest.raises(NotFound, match="a not found"):
        await cluster.update(state={"status": {"active": 1}})


async def test_a_successor_of_an_object_is_left_alone(cluster: _Cluster) -> None:
    await cluster.submitted(jobs("a"))
    await cluster.memory.delete(JOBS, "a", namespace="default")
    await cluster.memory.create(JOBS, {"metadata": {"name": "a"}}, namespace="default")
    with pytest.raises(Exception, match="1 of 1 objects were not changed: Job default/a"):
        await cluster.update(state=SUSPEND)
    assert "spec" not in await cluster.job("a")


async def test_what_the_run_made_is_deleted_and_what_existed_is_as_it_was(cluster: _Cluster) -> None:
    body = {"metadata": {"name": "old", "labels": {"x": "before"}}, "spec": {"parallelism": 2}}
    await cluster.memory.create(JOBS, body, namespace="default")
    await cluster.memory.patch(JOBS, "old", {"status": {"active": 2}}, namespace="default", subresource="status")
    await cluster.submitted(jobs("old", "new"))
    for suspend in (True, False):
        state = {"spec": {"suspend": suspend}, "metadata": {"labels": {"x": "y", "z": "1"}}, "status": {"active": 9}}
        await cluster.update(state=state)
    assert [name for verb, name in cluster.sent() if verb == "get"] == ["old", "old"]
    await cluster.memory.patch(JOBS, "old", {"metadata": {"labels": {"other": "1"}}}, namespace="default")
    await cluster.clean()
    (left,) = await cluster.memory.list(JOBS)
    assert left["metadata"]["labels"] == {"x": "before", "other": "1"}
    assert (left["spec"], left["status"]) == ({"parallelism": 2}, {"active": 2})


async def test_without_a_cleanup_nothing_is_read(tmp_path: Path) -> None:
    cluster = _Cluster(tmp_path, restores=False)
    await cluster.memory.create(JOBS, {"metadata": {"name": "old"}}, namespace="default")
    await cluster.submitted(jobs("old"))
    await cluster.update(state=SUSPEND)
    assert cluster.sent() == [("patch", "old")]


async def test_the_cleanup_spares_a_successor(cluster: _Cluster) -> None:
    await cluster.memory.create(JOBS, {"metadata": {"name": "old"}}, namespace="default")
    await cluster.submitted(jobs("old"))
    await cluster.update(state=SUSPEND)
    await cluster.memory.delete(JOBS, "old", namespace="default")
    await cluster.memory.create(JOBS, {"metadata": {"name": "old"}, "spec": {"suspend": True}}, namespace="default")
    await cluster.clean()
    assert (await cluster.job("old"))["spec"] == {"suspend": True}


async def test_a_change_that_cannot_be_taken_back_is_told(cluster: _Cluster) -> None:
    await cluster.memory.create(JOBS, {"metadata": {"name": "old"}}, namespace="default")
    await cluster.submitted(jobs("old"))
    await cluster.update(state=SUSPEND)
    cluster.memory.refuse["patch", "Job"] = Forbidden("patch jobs: no", status=403)
    with pytest.raises(ClusterError, match=r"cleanup is incomplete; .*\nJob default/old: patch jobs: no"):
        await cluster.clean()


async def test_a_refused_change(cluster: _Cluster) -> None:
    await cluster.submitted(jobs("a", "b"))
    cluster.memory.refuse["patch", "Job"] = Forbidden("patch jobs: no", status=403)
    with pytest.raises(Forbidden, match="2 of 2 objects were not changed: Job default/a: patch jobs: no"):
        await cluster.update(state=SUSPEND)


async def test_a_timeout_and_an_interruption_wait_for_the_answer(tmp_path: Path) -> None:
    cluster = _Cluster(tmp_path)
    cluster.memory = cluster.bench.gateway = _Slow()
    await cluster.memory.create(JOBS, {"metadata": {"name": "old"}}, namespace="default")
    await cluster.submitted(jobs("old"))
    updating = asyncio.create_task(cluster.update(state=SUSPEND, timeout="10ms"))
    await cluster.memory.asked.wait()
    await asyncio.sleep(0.02)
    assert not updating.done()
    cluster.memory.answers.set()
    with pytest.raises(DeadlineExceeded, match=r"0 of 1 objects changed after 0\.01 s"):
        await updating
    assert (await cluster.job("old"))["spec"] == {"suspend": True}
    await cluster.clean()
    assert not (await cluster.job("old")).get("spec")


class _Slow(Memory):
    """Patches are answered when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()

    async def patch(self, *args: Any, **more: Any) -> dict[str, Any]:
        self.asked.set()
        await self.answers.wait()
        return await super().patch(*args, **more)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"index": 1}, "1 is out of range: job.yml has 1 document, counted from 0"),
        ({"timeout": "-1s"}, "must not be negative"),
        ({"state": {"kind": "Pod"}}, "the object's kind is 'Job', and it cannot be changed"),
        ({"state": {"apiVersion": "v1", **SUSPEND}}, "the object's apiVersion is 'batch/v1'"),
        ({"state": {"metadata": {"name": "job2"}}}, "the object's metadata.name is 'job1'"),
        ({"state": {"metadata": {"namespace": "x"}}}, "the object's metadata.namespace is 'default'"),
        ({"state": {"metadata": None}}, "expected a map"),
        ({"state": {"kind": "Job"}}, "names no field that can be changed"),
        ({"refTaskId": "jop"}, "no earlier SubmitObj task has the id 'jop'; did you mean 'job'?"),
    ],
)
def test_faults(tmp_path: Path, params: dict[str, Any], said: str) -> None:
    given = {"refTaskId": "job", "state": SUSPEND, **params}
    found = faults(tmp_path, register(), submit(), task("UpdateObj", **given))
    assert any(said in violation.message for violation in found), found


def test_a_name_fits_one_object_only(tmp_path: Path) -> None:
    update = task("UpdateObj", refTaskId="job", state={"metadata": {"name": "job1", "labels": {"a": "1"}}})
    assert faults(tmp_path, register(), submit(), update) == []
    (found,) = faults(tmp_path, register(), submit(count=3), update)
    assert (found.path, found.message) == (
        "tasks[2].params.state.metadata.name",
        "the object's metadata.name is 'job3', and it cannot be changed",
    )


async def test_what_only_the_rendering_knows_is_told_before_anything_is_sent(cluster: _Cluster) -> None:
    await cluster.submitted(Rendering(instances=((item("v1", "ConfigMap", "c", "other"),),)))
    built = planned(
        cluster.directory,
        register(),
        submit(),
        task("UpdateObj", "it", refTaskId="job", state={"metadata": {"namespace": "default", "labels": {"a": "1"}}}),
    )
    with pytest.raises(InvalidDocument, match=r"the object's metadata\.namespace is 'other'"):
        await cluster.bench.run(built, "it")
    assert cluster.sent() == []
