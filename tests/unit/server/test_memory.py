"""Whole runs over HTTP: files are sent, rendered by Helm and executed on an API server in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from knavtool.helm import Helm
from knavtool.kube.resource import JOBS
from knavtool.workflow import rendering, runner
from support.memory import Memory
from support.programs import program
from support.server import Api, serving
from support.workflows import JOB, register, submit, task

if TYPE_CHECKING:
    from knavtool.events import Steps
    from knavtool.server.models import Options
    from knavtool.server.runs import CarryOut
    from knavtool.workflow.plan import Plan


def on(memory: Memory) -> CarryOut:
    """Execute on a cluster in memory."""
    helm = Helm(program("helm"))

    async def carry_out(plan: Plan, options: Options, steps: Steps, *_: object) -> bool:
        rendered = await rendering.render(plan, helm)
        return await runner.execute(rendered, memory, steps=steps, cleanup=options.cleanup, cleanup_timeout=60)

    return carry_out


def request(*tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    text = yaml.safe_dump({"name": "jobs", "tasks": [register(), *tasks]})
    return {"files": {"wf/jobs.yml": text, "wf/job.yml": JOB}, "workflows": ["wf/jobs.yml"], **more}


async def ended(api: Api, body: dict[str, Any]) -> dict[str, Any]:
    status, run = await api.ask("POST", "/runs", json=body)
    assert status == 202, run
    return await api.end(run["id"])


async def test_the_same_workflow_runs_twice_and_starts_from_nothing_each_time() -> None:
    memory = Memory()
    async with serving(on(memory)) as api:
        for _ in range(2):
            run = await ended(api, request(submit(count=2), options={"cleanup": True}))
            assert (run["state"], run["counts"]["ok"]) == ("passed", 2)
            assert await memory.list(JOBS) == []


async def test_a_failed_check_is_told_in_the_report() -> None:
    check = task("CheckObj", "check", refTaskId="job", state={"spec": {"parallelism": 3}})
    async with serving(on(Memory())) as api:
        run = await ended(api, request(submit(), check))
        assert (run["state"], run["exitCode"], run["counts"]["failed"]) == ("failed", 1, 1)
        _, report = await api.ask("GET", f"/runs/{run['id']}/report")
        _, summary = await api.ask("GET", f"/runs/{run['id']}/report?format=markdown")
    (failed,) = [step for step in report["run"]["steps"][0]["steps"] if step["result"] == "failed"]
    assert "spec.parallelism: expected 3" in failed["message"]
    assert "spec.parallelism" in summary


async def test_variables_are_those_of_the_request() -> None:
    memory = Memory()
    text = yaml.safe_dump({"name": "jobs", "variables": {"count": 1}, "tasks": [register(), submit(count="${count}")]})
    body = request() | {"files": {"wf/jobs.yml": text, "wf/job.yml": JOB}}
    async with serving(on(memory)) as api:
        await ended(api, body | {"variables": {"count": 3}})
        assert len(await memory.list(JOBS)) == 3
        status, problem = await api.ask("POST", "/runs", json=body | {"variables": {"cuont": 3}})
    assert status == 422
    assert "no such variable; did you mean 'count'?" in problem["detail"]
