"""The run: order, what happens after a failure, cleanup, interruption."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from knavtool.errors import ClusterError, DeadlineExceeded, Forbidden
from knavtool.events import Result, Steps
from knavtool.kube.resource import JOBS, Resource
from knavtool.report.recorder import Record, Recorder
from knavtool.workflow.rendered import RenderedPlan
from knavtool.workflow.runner import execute
from knavtool.workflow.task import Rendering
from support.memory import Memory
from support.workflows import item, jobs, planned, register, rendered, submit, task


class _Run:
    def __init__(self, directory: Path, *tasks: dict[str, Any], memory: Memory | None = None) -> None:
        self.memory = memory or Memory()
        self.recorder = Recorder()
        self.rendered: RenderedPlan = rendered(planned(directory, register(), *tasks), job=jobs("a", "b", pods=1))

    async def execute(self, *, cleanup: bool = True, timeout: float = 60) -> bool:
        return await execute(
            self.rendered, self.memory, steps=Steps(self.recorder), cleanup=cleanup, cleanup_timeout=timeout
        )

    @property
    def record(self) -> Record:
        return self.recorder.record

    def results(self) -> dict[str, str]:
        return {
            task.name: str(task.result) for workflow in self.record.find("workflow") for task in workflow.find("task")
        }


FAILING = task("CheckObj", "check", refTaskId="job", state={"status": {"active": 1}})
LATER = task("Sleep", "later", timeout="1h")


async def test_a_good_run(tmp_path: Path) -> None:
    run = _Run(tmp_path, submit(count=2), task("Sleep", timeout="1ms"))
    assert await run.execute(cleanup=False)
    assert run.results() == {"register": "ok", "job": "ok", "sleep": "ok"}
    assert len(await run.memory.list(JOBS)) == 2
    assert not list(run.record.find("cleanup"))


async def test_a_failed_check_stops_the_run_and_everything_is_undone(tmp_path: Path) -> None:
    run = _Run(tmp_path, submit(count=2), FAILING, LATER)
    assert not await run.execute()
    assert run.results() == {"register": "ok", "job": "ok", "check": "failed", "later": "skipped"}
    assert run.record.result is Result.FAILED
    assert await run.memory.list(JOBS) == []
    (cleanup,) = run.record.find("cleanup")
    assert (cleanup.result, cleanup.message) == (Result.OK, "2 Jobs removed")


async def test_a_refusal_is_raised_after_the_cleanup(tmp_path: Path) -> None:
    run = _Run(tmp_path, submit(count=2), task("DeleteObj", "delete", refTaskId="job"), LATER)
    run.memory.refuse["delete", "Job"] = Forbidden("delete jobs: no", status=403)
    with pytest.raises(Forbidden, match="2 of 2 objects were not deleted"):
        await run.execute()
    assert run.results()["later"] == "skipped"
    (cleanup,) = run.record.find("cleanup")
    assert cleanup.result is Result.FAILED
    assert "left behind: 2 Jobs" in cleanup.message


async def test_a_failing_cleanup_of_a_good_run_is_raised(tmp_path: Path) -> None:
    run = _Run(tmp_path, submit(count=2))
    run.memory.refuse["delete", "Job"] = Forbidden("delete jobs: no", status=403)
    with pytest.raises(ClusterError, match="cleanup is incomplete; left behind: 2 Jobs"):
        await run.execute()


async def test_deleted_objects_are_not_deleted_again(tmp_path: Path) -> None:
    run = _Run(tmp_path, submit(count=2), task("DeleteObj", "delete", refTaskId="job"))
    assert await run.execute()
    assert sum(verb == "delete" for verb, _, _ in run.memory.calls) == 2


async def test_an_object_that_is_gone_already_is_fine(tmp_path: Path) -> None:
    run = _Run(tmp_path, submit(count=2), LATER)
    running = asyncio.create_task(run.execute())
    await _until(run, "later")
    await run.memory.delete(JOBS, "a", namespace="default")
    # A successor of that name belongs to somebody else.
    await run.memory.create(JOBS, {"metadata": {"name": "a"}}, namespace="default")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [one["metadata"]["name"] for one in await run.memory.list(JOBS)] == ["a"]


async def test_an_interruption_cleans_up_first(tmp_path: Path) -> None:
    run = _Run(tmp_path, submit(count=2), LATER, task("Sleep", "last", timeout="1h"))
    running = asyncio.create_task(run.execute())
    await _until(run, "later")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await run.memory.list(JOBS) == []
    assert run.results() == {"register": "ok", "job": "ok", "later": "cancelled", "last": "skipped"}
    assert run.record.result is Result.CANCELLED


async def test_an_interruption_without_cleanup_says_what_is_left(tmp_path: Path) -> None:
    run = _Run(tmp_path, submit(count=2), LATER)
    running = asyncio.create_task(run.execute(cleanup=False))
    await _until(run, "later")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [note.message for note in run.record.notes] == ["interrupted without --cleanup; left behind: 2 Jobs"]


async def test_a_cleanup_that_takes_too_long_says_what_is_left(tmp_path: Path) -> None:
    run = _Run(tmp_path, submit(count=2), memory=_Lingering())
    with pytest.raises(DeadlineExceeded) as raised:
        await run.execute(timeout=0.05)
    assert raised.value.message.splitlines() == [
        "cleanup took longer than 0.05 s; left behind: 2 Jobs",
        "Job default/a, Job default/b; Job default/a is being deleted and waits for example.com/held",
    ]


async def test_what_is_not_gone_in_time_says_what_holds_it(tmp_path: Path) -> None:
    run = _Run(tmp_path, submit(count=2), task("DeleteObj", "delete", refTaskId="job", wait=True, timeout="50ms"))
    run.memory = _Lingering()
    with pytest.raises(DeadlineExceeded) as raised:
        await run.execute(cleanup=False)
    assert raised.value.message == (
        "not gone after 0.05 s: Job default/a, Job default/b; "
        "Job default/a is being deleted and waits for example.com/held"
    )


async def test_a_second_interruption_ends_the_cleanup(tmp_path: Path) -> None:
    run = _Run(tmp_path, submit(count=2), LATER, memory=_Lingering())
    running = asyncio.create_task(run.execute())
    await _until(run, "later")
    running.cancel()
    for _ in range(50):
        await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [note.message for note in run.record.notes] == ["the cleanup was interrupted; left behind: 2 Jobs"]


async def _until(run: _Run, name: str) -> None:
    """Let the run go on until a task of that name is open."""
    for _ in range(10_000):
        if run.recorder.roots and run.results().get(name) == "None":
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{name} was not reached")


class _Lingering(Memory):
    """Objects whose deletion never ends, as with a finalizer that nobody removes, however they are deleted."""

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        propagation: str = "Background",  # noqa: ARG002 - no deletion ends, whatever is asked
        uid: str | None = None,  # noqa: ARG002 - no deletion ends, whatever is asked
    ) -> bool:
        held = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["example.com/held"]}
        await self.patch(resource, name, {"metadata": held}, namespace=namespace)
        return True


async def test_any_field_of_a_pod_that_the_run_submits_can_be_compared(tmp_path: Path) -> None:
    expected = {"metadata": {"labels": {"app": "a"}}, "spec": {"priority": 7}}
    check = task("CheckObj", "check", refTaskId="job", state=expected, timeout="1m")
    run = _Run(tmp_path, submit(), check)
    pod = item("v1", "Pod", "a", "default", spec={"priority": 7})
    body = orjson.loads(pod.body)
    body["metadata"]["labels"] = {"app": "a"}
    sent = Rendering(instances=((replace(pod, body=orjson.dumps(body)),),))
    run.rendered = rendered(run.rendered.plan, job=sent)
    assert await run.execute(cleanup=False)
