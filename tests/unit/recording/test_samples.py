"""Samples of processes, the machine and the event loop."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from knavtool import usage
from knavtool.recording.samples import Component, Samples, every, tell_once
from knavtool.settings.tunables import Tuned
from support.recordings import schema


class Written:
    """Facts, each of which fits the schema."""

    def __init__(self) -> None:
        self.facts: list[dict[str, Any]] = []

    def __call__(self, **fact: Any) -> None:
        schema().validate({"at": 0, **fact})
        self.facts.append(fact)


def test_a_sample_is_what_was_used_so_far() -> None:
    written = Written()
    samples = Samples(written, lag=lambda: 0.25, processes=lambda: {"other": os.getppid(), "gone": 2**22 + 1})
    samples.take()
    sum(number * number for number in range(2_000_000))
    samples.take()
    by_process: dict[str, list[dict[str, Any]]] = {}
    for fact in written.facts:
        by_process.setdefault(fact.get("process", fact["fact"]), []).append(fact)
    assert set(by_process) == {"knavtool", "other", "machine", "loop"}
    before, after = by_process["knavtool"]
    assert after["cpu"] > before["cpu"]
    assert before["memory"] > 1_000_000
    before, after = by_process["machine"]
    assert after["busy"] > before["busy"] > 0
    assert [fact["lag"] for fact in by_process["loop"]] == [0.25, 0.25]


def test_elsewhere_than_on_linux_only_the_loop_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(usage, "_PROC", tmp_path)
    written = Written()
    Samples(written, lag=lambda: 0.0).take()
    assert [fact["fact"] for fact in written.facts] == ["loop"]


def test_what_is_told_once() -> None:
    written = Written()
    level = Tuned(name="logLevel", value="info", source="default")
    one = Component(name="etcd", version="3", settings="a=1", tunables=(level, Tuned(name="workers", of="Job")))
    tell_once(written, {"knavtool": "1"}, [one])
    assert [fact["fact"] for fact in written.facts] == ["environment", "component"]
    assert written.facts[1]["tunables"] == [
        {"name": "logLevel", "value": "info", "source": "default"},
        {"name": "workers", "of": "Job"},
    ]


async def test_the_lag_of_the_loop_is_the_longest_since_it_was_taken() -> None:
    lag = usage.LoopLag()
    lag._since = lag.worst = 0.5
    assert (lag.take(), lag.take(), lag.worst) == (0.5, 0.0, 0.5)


async def test_work_is_done_at_once_and_then_again(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    sleep = asyncio.sleep

    async def quick(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", quick)
    done: list[str] = []
    task = asyncio.create_task(every(0.25, lambda: done.append("a"), lambda: done.append("b")))
    while len(done) < 4:
        await sleep(0)
    task.cancel()
    assert done[:4] == ["a", "b", "a", "b"]
    assert 0.1 < slept[0] <= 0.25
