"""Runs one repetition: a fresh cluster, its nodes, the workload, and what was measured of it."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import time
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from knavtool.bench.repetition import Repetition, Status
from knavtool.documents.values import load_values
from knavtool.errors import KnavError
from knavtool.harness.clusters import running
from knavtool.harness.nodes import make_nodes
from knavtool.harness.runs import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from knavtool.bench.planning import Planned, Slot
    from knavtool.events import Steps
    from knavtool.harness.runs import Run
    from knavtool.measure.table import Measured

START_TIMEOUT = 180.0
"""Seconds until a cluster whose programs are there must be ready."""
OTHERS = 0.15
"""A machine is busy if other programs use so much of its processors; as a share of all of them."""


@dataclass(slots=True)
class _Watch:
    """The seconds that each part took."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Note how long the block takes, if it succeeds."""
        began = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - began, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where repetitions take place: the name of their clusters, and the kubeconfig for these alone.

    In `starts`, the cluster of each contender is kept as it was when it was ready first; all others start from it.
    """

    cluster: str
    kubeconfig: Path
    starts: Path
    environment: Mapping[str, str]

    def kept(self, contender: str) -> Path:
        """The file of a contender; of those that differ in nothing but their names, each has its own."""
        return self.starts / f"{hashlib.sha256(contender.encode()).hexdigest()[:16]}.saved"


async def repeat(
    bench: Planned, slot: Slot, attempt: int, directory: Path, place: Place, *, steps: Steps
) -> Repetition:
    """Run one repetition and keep it in its directory. An error or a failed check is its result.

    Only what is no error of the repetition is raised: a fault of knavtool, a full disk, a cancellation.
    """
    shutil.rmtree(directory, ignore_errors=True)  # an attempt that did not come to its end
    directory.mkdir(parents=True)
    watch, found = _Watch(), None
    began = datetime.now(UTC).isoformat(timespec="milliseconds")
    status, message = Status.BROKEN, ""
    try:
        found = await _on_a_cluster(bench, slot, directory, place, watch, steps)
        status = Status.OK if found.passed else Status.BROKEN if found.error is not None else Status.FAILED
        message = "; ".join(found.failures)
    except TimeoutError:
        status, message = Status.TIMEOUT, f"it did not end within {bench.file.timeout:g} s"
    except KnavError as error:
        message = error.message
    repetition = Repetition(
        slot=slot,
        attempt=attempt,
        status=status,
        message=message,
        began=began,
        seconds=watch.seconds,
        **(_measured(found.measured) if found is not None and found.measured is not None else {}),
    )
    repetition.save(directory)
    return repetition


async def _on_a_cluster(bench: Planned, slot: Slot, directory: Path, place: Place, watch: _Watch, steps: Steps) -> Run:
    plan = bench.plan(slot)
    async with AsyncExitStack() as stack:
        with watch.timed("start"):
            cluster = running(
                bench.file.contender(slot.contender).cluster,
                place.cluster,
                kubeconfig=place.kubeconfig,
                environment=place.environment,
                timeout=START_TIMEOUT,
                steps=steps,
                kept=place.kept(slot.contender),
            )
            target = await stack.enter_async_context(cluster)
        # What hangs is ended; the removal of the cluster is not.
        async with asyncio.timeout(bench.file.timeout):
            if bench.file.values is not None:
                with watch.timed("nodes"):
                    values = load_values(bench.file.values)
                    await make_nodes(values, target, steps=steps, timeout=bench.file.timeout)
            with watch.timed("run"):
                found = await run(plan, target, directory, steps=steps)
        leaving = time.monotonic()
    watch.seconds["end"] = round(time.monotonic() - leaving, 3)
    return found


def _measured(measured: Measured) -> dict[str, Any]:
    """What is kept of the measures: the numbers, and why they are not to be trusted."""
    about = measured.about
    others = measured.measures["machine.others.mean"].value
    cores = float(about.environment.get("cores") or 1)
    marks = list(about.tool_limits)
    if others is not None and others > OTHERS * cores:
        marks.append(f"other programs used {others:.2f} of {cores:g} processors")
    if not about.whole:
        marks.append("the recording was cut off")
    return {
        "marks": tuple(marks),
        "limits": tuple(one for one in about.saturated if one not in about.tool_limits),
        "notes": tuple(about.notes),
        "measures": measured.measures,
        "components": tuple(measured.tables["components"].dicts()),
        "environment": dict(about.environment),
    }
