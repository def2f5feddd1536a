"""The load on the control plane: requests, processors, memory."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from knavtool.report.html.charts import chart
from knavtool.report.html.charts.stepped import Columns, from_rows, stepped

if TYPE_CHECKING:
    from collections.abc import Hashable

    from knavtool.measure.table import Measured
    from knavtool.report.html.charts.chart import Chart

_NO_SAMPLES = "no process was sampled: only those of a local cluster can be"


def requests(measured: Measured) -> Chart:
    """Requests per second by user agent and verb."""
    counts: dict[tuple[float, str], float] = defaultdict(float)
    for row in measured.tables["requests"].dicts():
        agent = str(row["agent"] or "unknown").split("/")[0].split(" ")[0]
        counts[(row["time"], f"{agent} {row['verb']}")] += row["count"] or 0
    changes: list[tuple[float, Hashable, float | None]] = []
    for (second, name), count in counts.items():
        changes.append((second, name, count))
        if (second + 1, name) not in counts:
            changes.append((second + 1, name, 0))
    times, series = from_rows(sorted(changes, key=lambda one: (one[0], str(one[1]))))
    return stepped(
        measured,
        times,
        series,
        id="requests",
        title="Requests to the API server",
        text="Requests that ended in each second, by user agent and verb.",
        unit="requests",
        y_title="requests per second",
        stacked=True,
        sources=("requests",),
        why="there is no audit log: only a local cluster has one",
    )


def cpu(measured: Measured) -> Chart:
    """Processors that each process used."""
    times, series = _samples(measured, "cpu", 1.0)
    return stepped(
        measured,
        times,
        series,
        id="cpu",
        title="Processors used by each process",
        text="Where this reaches the number of processors, the machine is the limit, not the scheduler.",
        unit="cores",
        stacked=True,
        sources=("processes",),
        why=_NO_SAMPLES,
    )


def memory(measured: Measured) -> Chart:
    """Resident memory of each process."""
    times, series = _samples(measured, "memory", 2**20)
    return stepped(
        measured,
        times,
        series,
        id="memory",
        title="Memory of each process",
        text="Resident memory.",
        unit="MiB",
        sources=("processes",),
        why=_NO_SAMPLES,
    )


def _samples(measured: Measured, column: str, each: float) -> tuple[list[float], Columns]:
    """Samples of each process; of more than can be told apart, the smallest are added up."""
    rows = [
        (row["time"], chart.clipped(row["process"]), None if row[column] is None else row[column] / each)
        for row in measured.tables["processes"].dicts()
    ]
    return from_rows(rows)
