"""The end of a server: what the first, the second and the third signal do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from knavtool.listening import listener, url
from knavtool.server.bodies import Limits
from knavtool.server.context import Settings
from knavtool.server.serving import serve
from support.server import TOKEN, Api, Gate, sleep


@asynccontextmanager
async def patient(gate: Gate) -> AsyncIterator[tuple[asyncio.Task[None], Api]]:
    """A server that would wait for an hour for the run that runs; each cancellation of its task is a signal."""
    settings = Settings(token=TOKEN, limits=Limits(size=10_000, seconds=10), root=Path("/nonexistent"))
    with listener("127.0.0.1:0") as listening:
        server = asyncio.create_task(serve(listening, gate, settings, limit=3, keep=3, drain=3600))
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
            yield server, Api(url(listening), session)


async def until(api: Api, id_: str, state: str) -> None:
    async for message in api.messages(id_):
        if message.data.get("state") == state:
            return


@pytest.mark.parametrize("signals", [1, 2, 3])
async def test_each_signal_is_less_patient(signals: int) -> None:
    gate = Gate()
    gate.cleanup.clear()
    async with patient(gate) as (server, api):
        first, second = await api.submit(), await api.submit(text=sleep("second"))
        await gate.begun.wait()
        server.cancel()
        assert (await api.end(second))["state"] == "cancelled"
        assert (await api.ask("GET", "/readyz"))[0] == 503
        if signals == 1:
            gate.open.set()
            await until(api, first, "passed")
        if signals > 1:
            server.cancel()
            await until(api, first, "cancelling")
        if signals == 2:
            gate.cleanup.set()
        if signals == 3:
            server.cancel()
            with pytest.raises(asyncio.CancelledError):
                await server
        else:
            await server
    assert gate.names == ["sleeper"]
