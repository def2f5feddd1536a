"""Loops, parallel blocks, timeouts of tasks and failures that are tolerated."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import Forbidden
from knavtool.events import Steps
from knavtool.kube.resource import JOBS
from knavtool.report.recorder import Record, Recorder
from knavtool.workflow.rendered import RenderedPlan
from knavtool.workflow.runner import execute
from knavtool.workflow.task import NOTHING
from knavtool.workflow.tasks.submit_obj import SubmitObj
from support.memory import Memory
from support.workflows import faults, jobs, planned, register, submit, task


class _Run:
    """Every SubmitObj creates Jobs that are called after its place in the plan."""

    def __init__(self, directory: Path, *tasks: dict[str, Any]) -> None:
        self.memory = Memory()
        self.recorder = Recorder()
        self.plan = planned(directory, register(), *tasks)
        renderings = {}
        for number, one in enumerate(self.plan.tasks()):
            renderings[id(one.task)] = NOTHING
            if isinstance(one.task, SubmitObj):
                names = [f"{one.document.id}-{number}-{index}" for index in range(one.task.count)]
                renderings[id(one.task)] = jobs(*names, pods=1)
        self.rendered = RenderedPlan(plan=self.plan, renderings=renderings)

    async def execute(self, *, cleanup: bool = False) -> bool:
        return await execute(
            self.rendered, self.memory, steps=Steps(self.recorder), cleanup=cleanup, cleanup_timeout=60
        )

    def results(self) -> list[tuple[str, str]]:
        """(task or block, result) in the order in which they began."""
        return [
            (record.name, str(record.result))
            for record in self.recorder.record.walk()
            if record.kind in ("task", "block", "round") and record.name != "register"
        ]

    async def names(self) -> list[str]:
        return sorted(item["metadata"]["name"] for item in await self.memory.list(JOBS))


def parallel(*tasks: dict[str, Any], id_: str = "both", **more: Any) -> dict[str, Any]:
    return {**task("Parallel", id_, tasks=list(tasks)), **more}


def repeat(count: int, *tasks: dict[str, Any], id_: str = "rounds", **more: Any) -> dict[str, Any]:
    return {**task("Repeat", id_, count=count, tasks=list(tasks)), **more}


def delete(id_: str = "delete", ref: str = "job") -> dict[str, Any]:
    return task("DeleteObj", id_, refTaskId=ref)


NEVER = task("CheckObj", "never", refTaskId="job", state={"status": {"active": 9}})
NAP = task("Sleep", "nap", timeout="1ms")
LONG = task("Sleep", "long", timeout="1h")


async def test_foreach_runs_a_task_once_per_item(tmp_path: Path) -> None:
    run = _Run(tmp_path, {**submit(count="${n}"), "foreach": {"n": [1, 2]}}, delete())
    assert await run.execute()
    assert run.results() == [
        *[("job", "ok"), ("n=1", "ok"), ("job", "ok"), ("n=2", "ok"), ("job", "ok")],
        ("delete", "ok"),
    ]
    # A reference from outside means the objects of all rounds.
    assert await run.names() == []
    assert sum(verb == "create" for verb, _, _ in run.memory.calls) == 3


async def test_a_round_refers_to_its_own_objects(tmp_path: Path) -> None:
    run = _Run(tmp_path, repeat(2, submit(), delete()), NAP)
    assert await run.execute()
    calls = [(verb, name) for verb, kind, name in run.memory.calls if kind == "Job" and verb in ("create", "delete")]
    assert calls == [("create", "job-1-0"), ("delete", "job-1-0"), ("create", "job-3-0"), ("delete", "job-3-0")]


async def test_a_failed_round_ends_the_loop(tmp_path: Path) -> None:
    run = _Run(tmp_path, repeat(3, submit(), NEVER), NAP)
    assert not await run.execute()
    assert run.results() == [
        ("rounds", "failed"),
        *[("round 1", "failed"), ("job", "ok"), ("never", "failed")],
        *[("round 2", "skipped"), ("job", "skipped"), ("never", "skipped")],
        *[("round 3", "skipped"), ("job", "skipped"), ("never", "skipped")],
        ("nap", "skipped"),
    ]
    assert await run.names() == ["job-1-0"]


async def test_branches_run_at_the_same_time(tmp_path: Path) -> None:
    waiting = task("CheckObj", "wait", refTaskId="job", state={"metadata": {"labels": {"go": "1"}}}, timeout="60s")
    run = _Run(tmp_path, submit(), parallel(waiting, repeat(1, submit("other"), delete("gone", "other"), id_="then")))
    running = asyncio.create_task(run.execute())
    await _until(run, ("gone", "ok"))
    assert ("wait", "None") in run.results()
    await run.memory.patch(JOBS, "job-1-0", {"metadata": {"labels": {"go": "1"}}}, namespace="default")
    assert await running
    assert await run.names() == ["job-1-0"]


async def test_a_branch_that_fails_lets_the_others_end(tmp_path: Path) -> None:
    run = _Run(tmp_path, submit(), parallel(NEVER, repeat(1, NAP, submit("other"), id_="then")), delete())
    assert not await run.execute()
    assert ("other", "ok") in run.results()
    assert ("both", "failed") in run.results()
    assert run.results()[-1] == ("delete", "skipped")


async def test_what_the_api_refuses_in_a_branch_is_raised(tmp_path: Path) -> None:
    run = _Run(tmp_path, parallel(submit(), NAP), LONG)
    run.memory.refuse["create", "Job"] = Forbidden("create jobs: no", status=403)
    with pytest.raises(Forbidden):
        await run.execute(cleanup=True)
    assert run.results() == [("both", "failed"), ("job", "failed"), ("nap", "ok"), ("long", "skipped")]


async def test_objects_of_branches_are_known_after_the_block(tmp_path: Path) -> None:
    run = _Run(tmp_path, parallel(submit("a"), submit("b")), delete("d", "a"), delete("e", "b"))
    assert await run.execute()
    assert await run.names() == []


async def test_the_timeout_of_a_task(tmp_path: Path) -> None:
    run = _Run(tmp_path, {**LONG, "timeout": "10ms"}, NAP)
    assert not await run.execute()
    record = next(record for record in run.recorder.record.walk() if record.name == "long")
    assert (str(record.result), record.message) == ("failed", "not done after 0.01 s, the timeout of the task")
    assert run.results()[-1] == ("nap", "skipped")


async def test_the_timeout_of_a_block(tmp_path: Path) -> None:
    run = _Run(tmp_path, parallel(NAP, LONG, timeout="50ms"), submit("after"))
    assert not await run.execute()
    assert run.results() == [("both", "failed"), ("nap", "ok"), ("long", "cancelled"), ("after", "skipped")]


async def test_a_failure_can_be_tolerated_and_is_a_failure_all_the_same(tmp_path: Path) -> None:
    run = _Run(tmp_path, submit(), {**NEVER, "continueOnError": True}, delete())
    assert not await run.execute()
    assert run.results() == [("job", "ok"), ("never", "failed"), ("delete", "ok")]
    assert str(run.recorder.record.result) == "failed"


async def test_a_tolerated_refusal_is_not_raised(tmp_path: Path) -> None:
    run = _Run(tmp_path, {**submit(), "continueOnError": True}, {**delete(), "continueOnError": True}, NAP)
    run.memory.refuse["create", "Job"] = Forbidden("create jobs: no", status=403)
    assert not await run.execute()
    assert run.results() == [("job", "failed"), ("delete", "ok"), ("nap", "ok")]


async def test_a_block_can_be_tolerated(tmp_path: Path) -> None:
    run = _Run(tmp_path, submit(), repeat(2, NEVER, continueOnError=True), delete())
    assert not await run.execute()
    assert run.results()[-1] == ("delete", "ok")


async def test_an_interruption_reaches_every_branch_and_cleans_up(tmp_path: Path) -> None:
    run = _Run(tmp_path, parallel(repeat(1, submit(), LONG, id_="a"), LONG), NAP)
    running = asyncio.create_task(run.execute(cleanup=True))
    await _until(run, ("long", "None"))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await run.names() == []
    assert run.results()[-1] == ("nap", "skipped")
    assert [str(record.result) for record in _tasks(run.recorder.record)].count("cancelled") == 2


async def _until(run: _Run, result: tuple[str, str]) -> None:
    async with asyncio.timeout(10):
        while result not in run.results():  # noqa: ASYNC110 - the run tells nobody when it gets there
            await asyncio.sleep(0)


def _tasks(record: Record) -> list[Record]:
    return [each for each in record.walk() if each.kind == "task"]


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([parallel(submit(), delete())], "the SubmitObj task 'job' comes later"),
        ([parallel(submit(), submit())], "the id 'job' is taken by the SubmitObj task at "),
        ([submit(), repeat(2, submit())], "the id 'job' is taken by the SubmitObj task at "),
        ([repeat(2, submit(), id_="r"), submit()], "the id 'job' is taken by the SubmitObj task at "),
        ([parallel()], "must not be empty"),
        ([repeat(0, NAP)], "0 is out of range; expected at least 1"),
        ([repeat(1, task("Sleep", "s", timeout="x"))], "tasks[1].params.tasks[0].params.timeout: "),
        ([parallel(repeat(1, delete("x", "nothing"), id_="in"))], "no earlier SubmitObj task has the id 'nothing'"),
    ],
)
def test_faults_of_blocks(tmp_path: Path, tasks: list[dict[str, Any]], message: str) -> None:
    found = [str(fault) for fault in faults(tmp_path, register(), *tasks)]
    assert any(message in fault for fault in found), found


def test_a_fault_does_not_lead_to_others(tmp_path: Path) -> None:
    broken = submit(count="three")
    (fault,) = faults(tmp_path, register(), repeat(2, broken, delete()), delete("again"))
    assert "expected a whole number, got text 'three'" in str(fault)


def test_faults_of_the_shape_and_of_the_plan_are_told_together(tmp_path: Path) -> None:
    found = faults(tmp_path, register(), task("Sleep", "s", timeout=3), delete("x", "nothing"))
    assert [fault.path for fault in found] == ["tasks[1].params.timeout", "tasks[2].params.refTaskId"]
