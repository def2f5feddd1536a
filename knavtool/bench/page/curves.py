"""One repetition of each contender over time, all on one axis from the first creation of a pod on."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from knavtool.measure.comparing import values
from knavtool.report.html import theme
from knavtool.report.html.comparison.overlay import distributed, stepped
from knavtool.report.html.comparison.sides import Look, Series, Side, series, side
from knavtool.report.html.thinning import wide

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.measure.comparing import Run
    from knavtool.report.html.charts.chart import Chart

_NO_PODS = "no pod was created"
_NO_GPUS = "no node with GPUs was seen"


def curves(runs: Mapping[str, Run], prefix: str) -> Iterator[Chart]:
    """The plots of runs by the names of their contenders; `prefix` begins their ids."""
    by_key: dict[str, Run] = {}
    sides = []
    for index, (name, run) in enumerate(list(runs.items())[: theme.SERIES]):
        key = string.ascii_uppercase[index]
        found = side(key, run, Look(theme.COLORS[index], theme.DASHES[index]), name)
        if found is not None:
            by_key[key] = run
            sides.append(found)
    plots = _Plots(by_key, sides, prefix)
    yield plots.allocated()
    yield plots.column("timeline", "bound", "Pods bound", "How many pods have been bound so far.")
    yield plots.column("timeline", "pending", "Pods pending", "Created, not bound, not gone.")
    yield plots.column("blocks", "stranded", "Stranded GPUs", "Free where no pending pod fits.", unit="GPUs")
    yield plots.waits("pod.wait", "Pods: created to bound")
    yield plots.waits("gang.wait", "Gangs: created to minCount-th bound")


class _Plots:
    def __init__(self, runs: Mapping[str, Run], sides: Sequence[Side], prefix: str) -> None:
        self._runs = runs
        self._sides = sides
        self._prefix = prefix

    def column(self, table: str, column: str, title: str, text: str, *, unit: str = "pods") -> Chart:
        """A column of a table over time."""
        found: dict[str, Series] = {}
        for one in self._sides:
            rows = (self._runs[one.key].tables or {})[table]
            steps = series(one, rows.column("time"), rows.column(column))
            if rows.rows and steps is not None:
                found[one.key] = steps
        why = _NO_PODS if unit == "pods" else _NO_GPUS
        return stepped(self._sides, found, id=f"{self._prefix}{column}", title=title, text=text, unit=unit, why=why)

    def allocated(self) -> Chart:
        """GPUs allocated, of all queues together."""
        found = {}
        for one in self._sides:
            times, queues = wide((self._runs[one.key].tables or {})["occupancy"].rows)
            total = [sum(value or 0 for value in row) for row in zip(*queues.values(), strict=True)]
            if (steps := series(one, times, total)) is not None:
                found[one.key] = steps
        capacity = {run.measure("gpu.capacity").value for run in self._runs.values()}
        most = capacity.pop() if len(capacity) == 1 else None
        return stepped(
            self._sides,
            found,
            id=f"{self._prefix}allocated",
            title="GPUs allocated",
            text="Requested by pods that are bound to Ready nodes, of all queues together.",
            unit="GPUs",
            rule=(most, f"{most:g} allocatable") if most else None,
            why=_NO_GPUS,
        )

    def waits(self, name: str, title: str) -> Chart:
        """The distribution of a wait."""
        return distributed(
            self._sides,
            {one.key: values(self._runs[one.key], name) for one in self._sides},
            id=f"{self._prefix}{name.replace('.', '-')}",
            title=title,
            text="The part of all that waited no longer.",
            why=f"no {name.partition('.')[0]} was bound",
        )
