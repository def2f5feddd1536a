"""Plots of several runs over each other, from their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.measure.comparing import values
from knavtool.report.html.comparison.overlay import distributed, stepped
from knavtool.report.html.comparison.sides import series
from knavtool.report.html.thinning import wide

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knavtool.measure.comparing import Run
    from knavtool.report.html.charts.chart import Chart
    from knavtool.report.html.comparison.sides import Series, Side

NO_PODS = "no pod was created"
NO_GPUS = "no node with GPUs was seen"


class Plots:
    """Makes them of runs by their letters; `prefix` begins the ids, and `why` says why there are none, if so."""

    def __init__(self, runs: Mapping[str, Run], sides: Sequence[Side], *, prefix: str = "", why: str = "") -> None:
        self._runs = runs
        self._sides = sides
        self._prefix = prefix
        self._why = why

    def column(
        self,
        table: str,
        column: str,
        id: str,  # noqa: A002 - it is the id of an element
        title: str,
        text: str,
        *,
        unit: str = "pods",
        y: str = "",
        why: str = NO_PODS,
    ) -> Chart:
        """A column of a table over time."""
        found: dict[str, Series] = {}
        for one in self._sides:
            rows = (self._runs[one.key].tables or {})[table]
            steps = series(one, rows.column("time"), rows.column(column))
            if rows.rows and steps is not None:
                found[one.key] = steps
        return stepped(
            self._sides,
            found,
            id=self._prefix + id,
            title=title,
            text=text,
            unit=unit,
            y_title=y,
            why=self._why or why,
        )

    def bound(self) -> Chart:
        """Pods bound so far."""
        return self.column("timeline", "bound", "bound", "Pods bound", "How many pods have been bound so far.")

    def pending(self) -> Chart:
        """Pods that wait."""
        return self.column("timeline", "pending", "pending", "Pods pending", "Created, not bound, not gone.")

    def stranded(self) -> Chart:
        """GPUs that are free in vain."""
        text = "Free on nodes where no pending pod fits, while pods that ask for GPUs are pending."
        return self.column("blocks", "stranded", "stranded", "Stranded GPUs", text, unit="GPUs", why=NO_GPUS)

    def allocated(self) -> Chart:
        """GPUs allocated, of all queues together, and what the nodes offer if that is the same in all runs."""
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
            why=self._why or NO_GPUS,
        )

    def waits(self, name: str, title: str, *, more: str = "") -> Chart:
        """The distribution of a wait; `more` is added to how it is read."""
        return distributed(
            self._sides,
            {one.key: values(self._runs[one.key], name) for one in self._sides},
            id=self._prefix + name.replace(".", "-"),
            title=title,
            text=f"The part of all that waited no longer.{more}",
            why=self._why or f"no {name.partition('.')[0]} was bound",
        )
