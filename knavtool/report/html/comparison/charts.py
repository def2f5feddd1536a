"""The plots of two runs: pods, GPUs and waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.measure.comparing import values
from knavtool.report.compared.cells import told
from knavtool.report.html.comparison.overlay import distributed, stepped
from knavtool.report.html.comparison.sides import OF_TWO, Series, Side, series, side
from knavtool.report.html.sections import Section
from knavtool.report.html.thinning import wide

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knavtool.measure.comparing import Comparison, Run
    from knavtool.report.html.charts.chart import Chart

_NO_PODS = "no pod was created"
_NO_GPUS = "no node with GPUs was seen"


def sections(comparison: Comparison) -> tuple[Chart, list[Section]]:
    """The plot of the first screen, and the sections with all others."""
    runs = {"A": comparison.before, "B": comparison.after}
    plots = _Plots(runs, comparison)
    bound = plots.column("timeline", "bound", "bound", "Pods bound", "How many pods have been bound so far.")
    allocated = plots.allocated()
    first = allocated if allocated.spec else bound
    built = [
        Section(
            "pods",
            "Pods",
            [
                bound,
                plots.column("timeline", "pending", "pending", "Pods pending", "Created, not bound, not gone."),
                plots.column(
                    "rates", "bound", "rates", "Bindings per second", "Pods bound in each second.", y="pods per second"
                ),
            ],
        ),
        Section(
            "waits",
            "Waiting times",
            [
                plots.waits("pod.wait", "Pods: created to bound", "no pod was bound"),
                plots.waits("gang.wait", "Gangs: created to minCount-th bound", "no gang was bound"),
            ],
        ),
        Section(
            "gpus",
            "GPUs",
            [
                allocated,
                plots.column(
                    "blocks",
                    "free",
                    "free",
                    "Free GPUs",
                    "GPUs of Ready nodes that no pod holds.",
                    unit="GPUs",
                    why=_NO_GPUS,
                ),
                plots.column(
                    "blocks",
                    "stranded",
                    "stranded",
                    "Stranded GPUs",
                    "Free on nodes where no pending pod fits, while pods that ask for GPUs are pending.",
                    unit="GPUs",
                    why=_NO_GPUS,
                ),
            ],
        ),
    ]
    return first, [Section(part.id, part.title, [one for one in part.charts if one.id != first.id]) for part in built]


class _Plots:
    def __init__(self, runs: Mapping[str, Run], comparison: Comparison) -> None:
        self._runs = runs
        self._comparison = comparison
        found = [side(key, run, OF_TWO[key]) for key, run in runs.items()]
        self._sides: Sequence[Side] = [one for one in found if one is not None]
        bare = [f"{run.label} has measures only" for run in runs.values() if run.tables is None]
        self._why = f"{' and '.join(bare)}; plots need recordings" if bare else ""
        if bare:
            self._sides = []

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
        why: str = _NO_PODS,
    ) -> Chart:
        """A column of a table over time."""
        found: dict[str, Series] = {}
        for one in self._sides:
            rows = (self._runs[one.key].tables or {})[table]
            steps = series(one, rows.column("time"), rows.column(column))
            if rows.rows and steps is not None:
                found[one.key] = steps
        return stepped(self._sides, found, id=id, title=title, text=text, unit=unit, y_title=y, why=self._why or why)

    def allocated(self) -> Chart:
        """GPUs allocated, of all queues together, and what the nodes offer if that is the same in both."""
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
            id="allocated",
            title="GPUs allocated",
            text="Requested by pods that are bound to Ready nodes, of all queues together.",
            unit="GPUs",
            rule=(most, f"{most:g} allocatable in both") if most else None,
            why=self._why or _NO_GPUS,
        )

    def waits(self, name: str, title: str, why: str) -> Chart:
        """The distribution of a wait."""
        apart = next((f" {told(one)}." for one in self._comparison.distances if one.name == name), "")
        return distributed(
            self._sides,
            {one.key: values(self._runs[one.key], name) for one in self._sides},
            id=name.replace(".", "-"),
            title=title,
            text=f"The part of all that waited no longer.{apart}",
            why=self._why or why,
        )
