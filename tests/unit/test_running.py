"""Signals that interrupt a command: which count, how often, and what they do not disturb."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest
import typer

from knavtool.cli import running
from knavtool.cli.running import run_async
from knavtool.errors import ExitCode, Forbidden

HUP, INT, TERM = signal.SIGHUP, signal.SIGINT, signal.SIGTERM


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Every test gives back what it found. Where the tests run under `nohup`, they hear a hangup all the same."""
    ignored = signal.signal(HUP, signal.SIG_DFL)
    before = {number: signal.getsignal(number) for number in (HUP, INT, TERM)}
    yield
    assert {number: signal.getsignal(number) for number in before} == before
    signal.signal(HUP, ignored)


class Work:
    """A body with a cleanup of its own; signals come while it works, and more during the cleanup."""

    def __init__(self, first: list[signal.Signals], then: list[signal.Signals]) -> None:
        self.first = first
        self.then = then
        self.cleaned_up = False

    async def __call__(self) -> None:
        try:
            await self._take(self.first)
            await asyncio.sleep(60)
        finally:
            await self._take(self.then)
            for _ in range(10):
                await asyncio.sleep(0)
            self.cleaned_up = True

    async def _take(self, numbers: list[signal.Signals]) -> None:
        for number in numbers:
            os.kill(os.getpid(), number)
            await asyncio.sleep(0)


@pytest.mark.parametrize("number", [HUP, INT, TERM])
def test_a_signal_cancels_and_the_cleanup_runs(number: signal.Signals) -> None:
    work = Work([number], [])
    with pytest.raises(typer.Exit) as left:
        run_async(work())
    assert (left.value.exit_code, work.cleaned_up) == (ExitCode.INTERRUPTED, True)


@pytest.mark.parametrize("numbers", [[TERM, TERM], [INT, INT], [HUP, HUP], [TERM, HUP], [HUP, TERM, HUP]])
def test_what_is_sent_to_a_process_and_its_group_is_one_interruption(numbers: list[signal.Signals]) -> None:
    work = Work(numbers, numbers)
    with pytest.raises(typer.Exit):
        run_async(work())
    assert work.cleaned_up


@pytest.mark.parametrize(
    ("first", "then", "cleaned_up"),
    [(INT, INT, False), (TERM, INT, False), (HUP, TERM, False), (HUP, HUP, True), (INT, HUP, True)],
)
def test_a_second_one_ends_the_cleanup_unless_nobody_is_there(
    first: signal.Signals, then: signal.Signals, cleaned_up: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_SAME_INTERRUPTION", 0.0)
    work = Work([first], [then])
    with pytest.raises(typer.Exit):
        run_async(work())
    assert work.cleaned_up is cleaned_up


def test_a_hangup_that_is_ignored_stays_ignored() -> None:
    """As `nohup` wants it."""
    before = signal.signal(HUP, signal.SIG_IGN)
    try:

        async def work() -> str:
            os.kill(os.getpid(), HUP)
            await asyncio.sleep(0)
            return "done"

        assert run_async(work()) == "done"
    finally:
        signal.signal(HUP, before)


@pytest.mark.parametrize("fails", [False, True])
def test_what_is_done_at_the_end_is_done_whatever_comes(fails: bool) -> None:
    done = []

    def at_end() -> None:
        for number in (HUP, INT, TERM):
            os.kill(os.getpid(), number)
        done.append("written")

    async def work() -> str:
        if fails:
            raise Forbidden("no", status=403)
        return "done"

    if fails:
        with pytest.raises(Forbidden):
            run_async(work(), at_end=at_end)
    else:
        assert run_async(work(), at_end=at_end) == "done"
    assert done == ["written"]


def test_a_cancellation_that_nobody_asked_for_is_an_internal_error() -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="nobody interrupted it"):
        run_async(work())


def test_of_a_group_an_internal_error_is_raised() -> None:
    async def work() -> None:
        raise ExceptionGroup("", [Forbidden("no", status=403), KeyError("x")])

    with pytest.raises(KeyError):
        run_async(work())
