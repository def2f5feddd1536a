"""The client: connections that are lost, servers that refuse or are none, interruptions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from knavtool.errors import (
    ClusterError,
    EngineError,
    ExitCode,
    Forbidden,
    InvalidDocument,
    KnavError,
    RenderError,
    Unauthorized,
    Unreachable,
)
from knavtool.events import Event, Steps, StepStarted
from knavtool.report.facts import Facts
from knavtool.report.recorder import Recorder
from knavtool.server import client as clients
from knavtool.server import wire
from knavtool.server.client import Client, carry_out, open_client
from support.server import TOKEN, Gate, serving, sleep, submission

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Here:
    """The side of the client: what it has heard."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.recorder = Recorder()
        self.facts = Facts()

    async def run(self, client: Client, **more: object) -> bool:
        """Run the workflow of the tests on a server."""
        return await carry_out(
            client,
            submission(**more),
            steps=Steps(self.events.append),
            recorder=self.recorder,
            facts=self.facts,
            to_here=lambda at: at - 1000,
        )


@asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[str]:
    """The URL of a server that answers everything with one handler."""
    runner = web.AppRunner(web.Application())
    runner.app.router.add_route("*", "/{path:.*}", handler)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site.name if not runner.addresses else f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("passed", [True, False])
async def test_a_run_there_is_told_here(passed: bool) -> None:
    gate, here = Gate(passed=passed), Here()
    gate.open.set()
    async with serving(gate) as api, open_client(api.url, TOKEN) as client:
        assert await here.run(client) is passed
        ((_, (run,)),) = [await api.ask("GET", "/runs")]
    assert [root.kind for root in here.recorder.roots] == ["run"]
    assert here.recorder.epoch == run["epoch"]
    assert here.facts.server == "v1.0.0"
    started = [event for event in here.events if isinstance(event, StepStarted)]
    assert [event.kind for event in started] == ["run", "workflow", "task"]
    assert started[0].at == here.recorder.roots[0].started + run["epoch"] - 1000


@pytest.mark.parametrize(
    "error", [Forbidden("no", hint="ask"), RenderError("bad template"), EngineError("no helm"), InvalidDocument([])]
)
async def test_what_ends_a_run_there_has_the_same_exit_code_here(error: KnavError) -> None:
    async def fail(*_: object) -> bool:
        raise error

    async with serving(fail) as api, open_client(api.url, TOKEN) as client:
        with pytest.raises(KnavError) as raised:
            await Here().run(client)
    assert (raised.value.exit_code, raised.value.message) == (error.exit_code, error.message)
    assert raised.value.hint == error.hint


async def test_an_interruption_cancels_the_run_and_is_raised_after_its_cleanup() -> None:
    gate, here = Gate(), Here()
    gate.cleanup.clear()
    async with serving(gate) as api, open_client(api.url, TOKEN) as client:
        running = asyncio.create_task(here.run(client))
        await gate.begun.wait()
        running.cancel()
        (run,) = (await api.ask("GET", "/runs"))[1]
        async for message in api.messages(run["id"]):
            if message.name == wire.STATUS and message.data["state"] == "cancelling":
                break
        assert not running.done()
        gate.cleanup.set()
        with pytest.raises(asyncio.CancelledError):
            await running
    (root,) = here.recorder.roots
    assert root.result == "cancelled"


async def test_a_second_interruption_leaves() -> None:
    gate, here = Gate(), Here()
    gate.cleanup.clear()
    async with serving(gate) as api, open_client(api.url, TOKEN) as client:
        running = asyncio.create_task(here.run(client))
        await gate.begun.wait()
        running.cancel()
        (run,) = (await api.ask("GET", "/runs"))[1]
        async for message in api.messages(run["id"]):
            if message.name == wire.STATUS and message.data["state"] == "cancelling":
                break
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        gate.cleanup.set()


async def test_a_run_that_somebody_else_cancels_has_not_passed() -> None:
    gate = Gate()
    async with serving(gate) as api, open_client(api.url, TOKEN) as client:
        running = asyncio.create_task(Here().run(client))
        await gate.begun.wait()
        (run,) = (await api.ask("GET", "/runs"))[1]
        await api.ask("POST", f"/runs/{run['id']}/cancel")
        with pytest.raises(ClusterError, match="cancelled on the server"):
            await running


async def test_a_connection_that_is_lost_is_made_again_and_nothing_is_told_twice() -> None:
    ended = {"exitCode": 0, "position": None, "id": "x"}
    frames = [wire.frame(wire.Message(number, "status", {**ended, "exitCode": None})) for number in range(1, 4)]
    frames.append(wire.frame(wire.Message(4, "status", ended)))
    asked: list[str] = []

    async def one_each(request: web.Request) -> web.StreamResponse:
        after = request.headers["Last-Event-ID"]
        asked.append(after)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(frames[int(after)] + frames[3][:10])
        assert request.transport is not None
        request.transport.close()
        return response

    async with answering(one_each) as url, open_client(url, TOKEN) as client:
        assert [message.id async for message in client.follow("x")] == [1, 2, 3, 4]
    assert asked == ["0", "1", "2", "3"]


async def test_a_server_that_does_not_come_back_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_RETRY_TIMEOUT", 0)

    async def close(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with answering(close) as url, open_client(url, TOKEN) as client:
        with pytest.raises(Unreachable, match="the run x continues there"):
            [message async for message in client.follow("x")]


async def test_refusals_are_errors_of_ours() -> None:
    async with serving(Gate(), limit=0) as api:
        async with open_client(api.url, "wrong") as client:
            with pytest.raises(Unauthorized, match="the token is wrong"):
                await client.submit(submission())
        async with open_client(api.url, TOKEN) as client:
            with pytest.raises(InvalidDocument, match=r"wf\.yml:1:1"):
                await client.submit(submission(text="tasks: 1"))
            await client.submit(submission(text=sleep()))
            with pytest.raises(ClusterError, match="as many runs wait as may wait"):
                await client.submit(submission())
    async with open_client(api.url, TOKEN) as client:
        with pytest.raises(Unreachable, match="cannot reach the server") as error:
            await client.submit(submission())
        assert error.value.exit_code == ExitCode.API_FAILED


@pytest.mark.parametrize("status", [200, 302, 404, 500])
async def test_something_else_than_a_server_of_ours_is_told(status: int) -> None:
    async def other(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text="<html>", content_type="text/html", headers={"Location": "/other"})

    async with answering(other) as url, open_client(url, TOKEN) as client:
        with pytest.raises(ClusterError, match="not as a knavtool server does"):
            await client.cancel("x")
        with pytest.raises(ClusterError, match="not as a knavtool server does"):
            [message async for message in client.follow("x")]
