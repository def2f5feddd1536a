"""The log of a run and its readers."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from knavtool.events import StepId
from knavtool.server.log import HEARTBEAT, Log


async def numbers(frames: AsyncIterator[bytes]) -> list[int]:
    return [int(frame.split(b"\n")[0].removeprefix(b"id: ")) async for frame in frames]


async def test_readers_get_everything_whenever_they_come() -> None:
    log = Log()
    log.append("a", {})
    early = asyncio.create_task(numbers(log.follow()))
    await asyncio.sleep(0)
    log.append("b", {})
    late = asyncio.create_task(numbers(log.follow(after=1)))
    log.append("c", {})
    log.close()
    assert await early == [1, 2, 3]
    assert await late == [2, 3]
    assert await numbers(log.follow()) == [1, 2, 3]


async def test_of_the_progress_of_a_step_only_the_last_is_kept() -> None:
    log = Log()
    for step in (1, 2, 1, 1):
        log.append("progressed", {}, progress_of=StepId(step))
    log.append("ended", {})
    live = asyncio.create_task(numbers(log.follow()))
    await asyncio.sleep(0)
    log.close()
    assert await live == [2, 4, 5]
    assert await numbers(log.follow()) == [2, 4, 5]
    assert await numbers(log.follow(after=3)) == [4, 5]


async def test_a_reader_who_keeps_up_gets_every_progress() -> None:
    log = Log()
    live = asyncio.create_task(numbers(log.follow()))
    for _ in range(3):
        log.append("progressed", {}, progress_of=StepId(1))
        for _ in range(3):
            await asyncio.sleep(0)
    log.close()
    assert await live == [1, 2, 3]


@pytest.mark.slow
async def test_the_log_of_a_long_run_stays_small_while_it_runs() -> None:
    """A hundred steps at the same time, each with the progress of three hundred objects."""
    log = Log()
    tracemalloc.start()
    try:
        for done in range(300):
            for step in range(100):
                log.append("progressed", {"step": step, "done": done, "total": 300}, progress_of=StepId(step))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 300_000
    log.append("ended", {})
    log.close()
    assert await numbers(log.follow()) == list(range(29_901, 30_002))
    assert await numbers(log.follow(after=29_999)) == [30_000, 30_001]


async def test_a_silent_log_gives_signs_of_life() -> None:
    log = Log(heartbeat=0)
    frames = log.follow()
    assert [await anext(frames) for _ in range(2)] == [HEARTBEAT, HEARTBEAT]
    log.append("a", {})
    log.close()
    assert len([frame async for frame in frames if frame != HEARTBEAT]) == 1


async def test_what_is_told_while_a_reader_is_busy_is_not_lost() -> None:
    log = Log()
    log.append("a", {})
    frames = log.follow()
    await anext(frames)
    log.append("b", {})
    log.close()
    assert await numbers(frames) == [2]
