"""The queue by itself: order, bounds, the end of the server."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import pytest

from knavtool.server import uploads
from knavtool.server.models import Options, State, Wait
from knavtool.server.queue import Busy, Draining, Full, Queue, open_queue
from knavtool.server.runs import Run
from knavtool.workflow.registry import built_in
from support.server import Gate, sleep

Add = Callable[..., Run]


def adding(queue: Queue) -> Add:
    def add(name: str, wait: Wait = Wait.QUEUE) -> Run:
        return queue.add(uploads.planned_alone(sleep(name), built_in()), Options(), wait)

    return add


async def test_runs_come_in_the_order_of_their_arrival_and_never_two_at_once() -> None:
    gate = Gate()
    async with open_queue(gate, limit=10, keep=10) as queue:
        add = adding(queue)
        runs = [add(name) for name in "abc"]
        await gate.begun.wait()
        assert [(run.status.state, run.status.position) for run in runs] == [
            (State.RUNNING, None),
            (State.QUEUED, 1),
            (State.QUEUED, 2),
        ]
        gate.open.set()
        await runs[-1].log.closed()
        ended = [run.status for run in runs]
    assert gate.names == list("abc")
    assert all(before.ended <= after.started for before, after in itertools.pairwise(ended))  # type: ignore[operator]


@pytest.mark.parametrize("limit", [0, 1, 3])
async def test_only_so_many_wait(limit: int) -> None:
    async with open_queue(Gate(), limit=limit, keep=10) as queue:
        add = adding(queue)
        for _ in range(limit + 1):
            add("x")
        with pytest.raises(Full):
            add("x")
        with pytest.raises(Busy):
            add("x", Wait.REFUSE)


async def test_an_idle_queue_is_drained_at_once() -> None:
    async with open_queue(Gate(), limit=1, keep=1) as queue:
        await queue.drain(3600)
        with pytest.raises(Draining):
            adding(queue)("x")


async def test_draining_waits_for_the_run_that_runs() -> None:
    gate = Gate()
    async with open_queue(gate, limit=1, keep=10) as queue:
        first, second = map(adding(queue), "ab")
        await gate.begun.wait()
        draining = asyncio.create_task(queue.drain(3600))
        await second.log.closed()
        assert (first.status.state, second.status.state) == (State.RUNNING, State.CANCELLED)
        gate.open.set()
        await draining
        assert first.status.state is State.PASSED


async def test_draining_ends_the_run_after_its_time_and_waits_for_the_cleanup() -> None:
    gate = Gate()
    gate.cleanup.clear()
    async with open_queue(gate, limit=1, keep=10) as queue:
        run = adding(queue)("a")
        await gate.begun.wait()
        draining = asyncio.create_task(queue.drain(0))
        async for _ in run.log.follow():
            if run.status.state is State.CANCELLING:
                break
        assert not draining.done()
        gate.cleanup.set()
        await draining
        assert run.status.state is State.CANCELLED


async def test_hurrying_cancels_at_once() -> None:
    gate = Gate()
    async with open_queue(gate, limit=1, keep=10) as queue:
        run = adding(queue)("a")
        await gate.begun.wait()
        draining = asyncio.create_task(queue.drain(3600))
        await asyncio.sleep(0)
        queue.hurry()
        await draining
        assert run.status.state is State.CANCELLED


async def test_leaving_ends_what_runs() -> None:
    gate = Gate()
    async with open_queue(gate, limit=1, keep=10) as queue:
        run = adding(queue)("a")
        await gate.begun.wait()
    assert run.status.state is State.CANCELLED
    await run.log.closed()
