"""A server of this process on a free port, and runs for it that end when a test says so."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from knavtool.events import Result
from knavtool.listening import listener, url
from knavtool.server import wire
from knavtool.server.bodies import Limits
from knavtool.server.context import Settings
from knavtool.server.serving import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from knavtool.events import Steps
    from knavtool.report.facts import Facts
    from knavtool.server.models import Options
    from knavtool.server.runs import CarryOut
    from knavtool.workflow.plan import Plan

TOKEN = "a-token-of-the-tests"
SLEEP = "name: {name}\ntasks:\n- {{id: wait, type: Sleep, params: {{timeout: {time}}}}}\n"


def sleep(name: str = "sleeper", time: str = "1ms") -> str:
    """A workflow that only sleeps."""
    return SLEEP.format(name=name, time=time)


def submission(text: str | None = None, **more: Any) -> dict[str, Any]:
    """A request for a run of one workflow."""
    return {"files": {"wf.yml": sleep() if text is None else text}, "workflows": ["wf.yml"], **more}


class Gate:
    """A `CarryOut` whose runs go on until they are let through; a cancelled one waits for its cleanup to be allowed."""

    def __init__(self, *, passed: bool = True) -> None:
        self.passed = passed
        self.begun = asyncio.Event()
        self.open = asyncio.Event()
        self.cleanup = asyncio.Event()
        self.cleanup.set()
        self.names: list[str] = []

    async def __call__(self, plan: Plan, _: Options, steps: Steps, facts: Facts, __: Path | None = None) -> bool:
        name, facts.server = plan.workflows[0].name, "v1.0.0"
        self.names.append(name)
        with (
            steps.step("run", name) as run,
            run.nested().step("workflow", name) as workflow,
            workflow.nested().step("task", "wait", "Sleep") as task,
        ):
            self.begun.set()
            try:
                await self.open.wait()
            except asyncio.CancelledError:
                await self.cleanup.wait()
                raise
            if not self.passed:
                task.result, task.message = Result.FAILED, "not what was expected"
        return self.passed


@dataclass(frozen=True)
class Api:
    """A server as its clients see it."""

    url: str
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        """The status of an answer and its body, decoded if it is JSON."""
        headers = {"Authorization": f"Bearer {TOKEN}"} | more.pop("headers", {})
        async with self.session.request(method, self.url + path, headers=headers, **more) as response:
            text = await response.text()
            return response.status, json.loads(text) if "json" in response.content_type else text

    async def submit(self, **more: Any) -> str:
        """Queue a run; returns its id."""
        status, run = await self.ask("POST", "/runs", json=submission(**more))
        assert status == 202, run
        return str(run["id"])

    async def messages(self, id_: str, after: int = 0) -> AsyncIterator[wire.Message]:
        """The stream of a run."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Last-Event-ID": str(after)}
        async with self.session.get(f"{self.url}/runs/{id_}/events", headers=headers) as response:
            assert response.status == 200
            async for message in wire.messages(response.content.iter_any()):
                yield message

    async def end(self, id_: str) -> dict[str, Any]:
        """The last status of a run."""
        return [message async for message in self.messages(id_)][-1].data


@asynccontextmanager
async def serving(
    carry_out: CarryOut,
    *,
    root: Path = Path("/nonexistent"),
    limit: int = 3,
    keep: int = 3,
    size: int = 10_000,
    seconds: float = 10,
    recordings: Path | None = None,
) -> AsyncIterator[Api]:
    """A server until the block ends; what still runs then is cancelled."""
    with listener("127.0.0.1:0") as listening:
        settings = Settings(token=TOKEN, limits=Limits(size=size, seconds=seconds), root=root)
        server = asyncio.create_task(
            serve(listening, carry_out, settings, limit=limit, keep=keep, drain=0, recordings=recordings)
        )
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
                yield Api(url(listening), session)
        finally:
            server.cancel()
            await server
