"""A check looks once, however short its timeout is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import DeadlineExceeded, Unreachable
from knavtool.kube.gateway import WatchEvent
from knavtool.workflow.objects import limits
from support.memory import Memory
from support.workflows import Bench, jobs, planned, register, submit, task

READY = {"metadata": {"name": "a"}}
CHECKS = {
    "CheckPod": {"refTaskId": "job", "status": "Running"},
    "CheckObj": {"refTaskId": "job", "state": {"spec": {"parallelism": 99}}},
    "CheckObj of a kind": {"apiVersion": "v1", "kind": "Node", "name": "x", "state": {"spec": {"unschedulable": True}}},
    "CheckConfigmap": {"name": "a", "namespace": "default", "data": {"a": "1"}, "op": "equal"},
}


class _Slow(Memory):
    """A server whose watches tell nothing for `seconds`."""

    seconds = 0.0

    async def watch(self, *args: Any, **more: Any) -> AsyncIterator[WatchEvent]:  # type: ignore[override]
        await asyncio.sleep(self.seconds)
        async for event in super().watch(*args, **more):
            yield event


async def look(directory: Path, memory: Memory, name: str) -> Any:
    check = task(name.partition(" ")[0], "check", timeout="1ms", **CHECKS[name])
    built = planned(directory, register(), submit(), check)
    bench = Bench(memory)
    await bench.run(built, "job", jobs("a", pods=1))
    if isinstance(memory, _Slow):
        memory.seconds = 0.1
    return await bench.run(built, "check")


@pytest.mark.parametrize("name", CHECKS)
async def test_a_short_timeout_does_not_judge_what_was_not_seen(tmp_path: Path, name: str) -> None:
    outcome = await look(tmp_path, _Slow(), name)
    assert not outcome.passed
    assert " after 0.001 s" in outcome.message


@pytest.mark.parametrize("name", CHECKS)
async def test_what_cannot_be_read_is_no_verdict(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_FIRST_LOOK", 0.05)
    memory = _Slow()
    memory.last_failure = Unreachable("nobody is there")
    with pytest.raises(DeadlineExceeded, match=r"could not be read within 0\.0\d+ s; nobody is there$"):
        await look(tmp_path, memory, name)
