"""Makes the last pod satisfy a check of a running workflow, and notes how long the check takes to see it."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from bench import commands
from bench.bare import MERGE_PATCH, bare
from bench.churn import churn
from bench.setting import BenchError
from bench.witness import PODS

if TYPE_CHECKING:
    from bench.churn import Churn
    from bench.plane import Plane
    from bench.pods import Detection

_CHECKS = ("pods", "objects")
_PAUSE_SECONDS = (0.1, 0.4)
"""Between the first sign of a check, which it gives when it knows what is there, and the change it waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One check, by CLOCK_MONOTONIC: when its change was sent, when the server answered, when the task had ended."""

    check: str
    sent: float
    answered: float
    ended: float

    @property
    def lag(self) -> float:
        """Seconds from the server's answer to the end of the task; a watch may be faster than the answer."""
        return self.ended - self.answered


async def probe(plane: Plane, given: Detection, rate: int) -> tuple[list[Probe], float]:
    """Run the workflow and give it what it waits for, as its events tell that it waits.

    When the pods are there, they are written `rate` times a second. Returns the probes and the rate that was achieved.
    """
    probes: list[Probe] = []
    changing: Churn | None = None
    waiting: dict[int, tuple[str, float, float]] = {}
    reading: dict[int, str] = {}
    achieved = 0.0
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(bare(Path(plane.environment["KUBECONFIG"])))
        events = await stack.enter_async_context(commands.talking(plane.environment, "run", str(given.workflow)))

        async def set_phase(phase: str) -> tuple[float, float]:
            body = orjson.dumps({"status": {"phase": phase}})
            sent = time.monotonic()
            await client.send("PATCH", f"{PODS}/{given.names[-1]}/status", body, content_type=MERGE_PATCH)
            return sent, time.monotonic()

        async for event in events:
            step, name = event.get("step", 0), event.get("name", "")
            if event["event"] == "started" and name in _CHECKS:
                reading[step] = name
            elif event["event"] == "progressed" and step in reading:
                await asyncio.sleep(random.uniform(*_PAUSE_SECONDS))  # noqa: S311 - not a secret
                waiting[step] = (reading.pop(step), *await set_phase("Pending"))
            elif event["event"] == "started" and name.startswith("differ"):
                if rate and changing is None:
                    changing = stack.enter_context(churn(plane, rate, given.names, given.body))
                await set_phase("Running")
            elif event["event"] == "ended" and step in waiting:
                check, sent, answered = waiting.pop(step)
                probes.append(Probe(check=check, sent=sent, answered=answered, ended=commands.moment(event)))
                if event["result"] != "ok":
                    raise BenchError(f"the check {check} ended as {event['result']}: {event.get('message')}")
        if changing is not None:
            achieved = changing.rate()
    if len(probes) != given.rounds * len(_CHECKS):
        raise BenchError(f"{len(probes)} checks instead of {given.rounds * len(_CHECKS)}")
    if early := [one for one in probes if one.ended < one.sent]:
        raise BenchError(f"{len(early)} checks ended before their pod was changed")
    return probes, achieved
