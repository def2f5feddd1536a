"""Where a run took place and how busy the tool was."""

from __future__ import annotations

import asyncio
import time

from knavtool.report.facts import Facts
from knavtool.usage import TICK


async def test_work_is_measured() -> None:
    facts = Facts()
    with facts.measured():
        until = time.process_time() + 0.05
        while time.process_time() < until:
            pass
    assert facts.cpu >= 0.05
    assert facts.wall >= facts.cpu * 0.5
    assert facts.busy > 0
    assert len(asyncio.all_tasks()) <= 2, "nothing goes on measuring"


async def test_a_loop_that_is_held_up_is_noticed() -> None:
    facts = Facts()
    with facts.measured():
        await asyncio.sleep(0)  # lets the measuring begin
        time.sleep(TICK * 3)  # noqa: ASYNC251 - holding the loop up is what this is about
        await asyncio.sleep(0.01)
    assert facts.lag >= TICK


def test_nothing_measured_is_not_busy() -> None:
    facts = Facts()
    assert (facts.busy, facts.lag) == (0.0, 0.0)
    assert facts.cores >= 1
