"""The rate limit, on a clock that stands still while nobody sleeps."""

from __future__ import annotations

import asyncio

from knavtool.kube.connection.limiting import RateLimit
from support.clock import Clock


async def sent_at(limit: RateLimit, clock: Clock, count: int) -> list[float]:
    """When each of many requests in a row may go out, in seconds from now."""
    start = clock.now
    times = []
    for _ in range(count):
        await limit.acquire()
        times.append(clock.now - start)
    return times


async def test_without_a_limit_nothing_waits(clock: Clock) -> None:
    assert await sent_at(RateLimit(0, 1), clock, 100) == [0.0] * 100
    assert clock.slept == []


async def test_a_burst_then_the_rate(clock: Clock) -> None:
    assert await sent_at(RateLimit(4, 3), clock, 6) == [0, 0, 0, 0.25, 0.5, 0.75]


async def test_a_burst_of_nothing_is_one_at_a_time(clock: Clock) -> None:
    assert await sent_at(RateLimit(2, 0), clock, 3) == [0, 0.5, 1]


async def test_a_pause_fills_the_bucket_but_not_more(clock: Clock) -> None:
    limit = RateLimit(2, 2)
    await sent_at(limit, clock, 4)
    clock.now += 1000
    assert await sent_at(limit, clock, 4) == [0, 0, 0.5, 1]


async def test_requests_of_the_same_moment_get_their_turns(clock: Clock) -> None:
    limit = RateLimit(2, 1)
    start = clock.now
    times: list[float] = []

    async def send() -> None:
        await limit.acquire()
        times.append(clock.now - start)

    await asyncio.gather(*(send() for _ in range(4)))
    assert times == [0, 0.5, 1, 1.5]


async def test_a_cancelled_request_takes_no_turn(clock: Clock) -> None:
    limit = RateLimit(1, 1)
    start = clock.now
    await limit.acquire()
    waiting = [asyncio.create_task(limit.acquire()) for _ in range(30)]
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await limit.acquire()
    assert clock.now - start == 1


def test_the_rate_is_known() -> None:
    assert (RateLimit().qps, RateLimit(20, 5).qps) == (0, 20)
