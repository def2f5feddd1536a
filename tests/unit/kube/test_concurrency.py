"""Many requests at once: how many, in which order they start, and what ends them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from knavtool.errors import ClusterError, Forbidden, Unreachable
from knavtool.kube.concurrency import for_each


async def test_everything_is_done_and_no_more_than_the_width_at_once() -> None:
    running, most = 0, 0
    done: list[int] = []

    async def work(number: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        done.append(number)

    assert await for_each(range(50), work, width=7) == []
    assert sorted(done) == list(range(50))
    assert most == 7


async def test_items_are_taken_when_their_turn_comes() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    async def work(number: int) -> None:
        await asyncio.sleep(0)
        assert len(taken) <= number + 2

    await for_each(items(), work, width=2)
    assert len(taken) == 10


async def test_refused_items_are_returned_and_the_rest_is_done() -> None:
    done: list[int] = []

    async def work(number: int) -> None:
        if number % 3 == 0:
            raise Forbidden(f"no {number}", status=403)
        done.append(number)

    refused = await for_each(range(9), work, width=2)
    assert sorted((number, error.message) for number, error in refused) == [(0, "no 0"), (3, "no 3"), (6, "no 6")]
    assert sorted(done) == [1, 2, 4, 5, 7, 8]


@pytest.mark.parametrize("stop", [True, False])
async def test_nothing_is_started_after_a_refusal_when_it_is_to_stop(stop: bool) -> None:
    started: list[int] = []

    async def work(number: int) -> None:
        started.append(number)
        await asyncio.sleep(0)
        if number == 1:
            raise Forbidden("no", status=403)

    refused = await for_each(range(20), work, width=3, stop_on_error=stop)
    assert [number for number, _ in refused] == [1]
    assert len(started) == (20 if not stop else 4)


async def test_a_server_that_does_not_answer_is_not_asked_for_everything() -> None:
    # Each of these requests was tried for a minute; ten thousand of them would be tried for hours.
    started: list[int] = []

    async def work(number: int) -> None:
        started.append(number)
        await asyncio.sleep(0)
        raise Unreachable("nobody is there")

    refused = await for_each(range(100), work, width=4)
    assert len(refused) == len(started) == 4


async def test_another_error_cancels_the_rest() -> None:
    cancelled: list[int] = []

    async def work(number: int) -> None:
        if number == 2:
            raise ValueError("a mistake")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(number)
            raise

    with pytest.raises(ExceptionGroup) as caught:
        await for_each(range(20), work, width=3)
    assert [str(error) for error in caught.value.exceptions] == ["a mistake"]
    assert sorted(cancelled) == [0, 1]


async def test_nothing_to_do() -> None:
    async def work(_: int) -> None:
        raise AssertionError

    assert await for_each([], work) == []


async def test_what_was_retried_in_vain_ends_the_rest_unless_something_goes_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a webhook that does not answer: each attempt costs the API server's patience with it."""
    now = 1000.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    tried: list[int] = []

    async def work(number: int) -> None:
        nonlocal now
        tried.append(number)
        now += 10
        if number % 100 == 99:
            return
        error = ClusterError("failed calling webhook", status=500)
        error.given_up = True
        raise error

    refused = await for_each(range(95, 1000), work, width=1)
    # Two more were tried after the first that was given up; one that went through gave the others a new chance.
    assert tried == [95, 96, 97]
    assert len(refused) == 3
    tried.clear()
    await for_each(range(98, 1000), work, width=1)
    assert tried == [98, 99, 100, 101, 102]
