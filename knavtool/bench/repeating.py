"""Runs one repetition: a fresh cluster, its nodes, the workload, and what was measured of it."""

from __future__ import annotations

import asyncio
import shutil
import time
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from knavtool.bench.repetition import Repetition, Status
from knavtool.documents.values import load_values
from knavtool.errors import EngineError, KnavError, OutputError
from knavtool.harness.nodes import make_nodes
from knavtool.harness.runs import run
from knavtool.report.files import as_output_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from knavtool.bench.planning import Planned, Slot
    from knavtool.documents.bench_file import Contender
    from knavtool.events import Steps
    from knavtool.harness.runs import Run
    from knavtool.harness.target import Target
    from knavtool.measure.table import Measured

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


class Place(Protocol):
    """Where repetitions take place."""

    @property
    def about(self) -> str:
        """What the cluster is that all of them share, for people; empty if each has its own."""

    def cluster(self, contender: Contender, *, steps: Steps) -> AbstractAsyncContextManager[Target]:
        """The cluster of a contender for the block; raises NotClean if what was there before is not gone."""


class NotClean(EngineError):
    """What a repetition made is still there, so that no other one can begin."""


async def repeat(
    bench: Planned, slot: Slot, attempt: int, directory: Path, place: Place, *, steps: Steps
) -> Repetition:
    """Run one repetition and keep it in its directory. An error or a failed check is its result.

    Only what is no error of the repetition is raised: a fault of knavtool, OutputError, NotClean, a cancellation.
    """
    shutil.rmtree(directory, ignore_errors=True)  # an attempt that did not come to its end
    with as_output_error(f"cannot write to {directory}"):
        directory.mkdir(parents=True)
    watch, found = _Watch(), None
    began = datetime.now(UTC).isoformat(timespec="milliseconds")
    status, message = Status.BROKEN, ""
    try:
        found = await _on_a_cluster(bench, slot, directory, place, watch, steps)
        status = Status.OK if found.passed else Status.BROKEN if found.error is not None else Status.FAILED
        message = "; ".join(found.failures)
    except (NotClean, OutputError):
        shutil.rmtree(directory)
        raise
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
        cluster=place.about,
        **(_measured(found.measured) if found is not None and found.measured is not None else {}),
    )
    repetition.save(directory)
    return repetition


async def _on_a_cluster(bench: Planned, slot: Slot, directory: Path, place: Place, watch: _Watch, steps: Steps) -> Run:
    plan = bench.plan(slot)
    async with AsyncExitStack() as stack:
        with watch.timed("start"):
            target = await stack.enter_async_context(place.cluster(bench.file.contender(slot.contender), steps=steps))
        # What hangs is ended; the removal of the cluster is not.
        async with asyncio.timeout(bench.file.timeout):
            if bench.file.values is not None:
                with watch.timed("nodes"):
                    values = load_values(bench.file.values)
                    await make_nodes(values, target, steps=steps, timeout=bench.file.timeout)
            with watch.timed("run"):
                found = await run(plan, target, directory, steps=steps, cleanup=bool(place.about))
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
        **{name: tuple(measured.tables[name].dicts()) for name in ("components", "tunables")},
        "environment": dict(about.environment),
    }
