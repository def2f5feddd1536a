"""The plots of two runs: pods, GPUs and waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.report.compared.cells import told
from knavtool.report.html.comparison.plots import NO_GPUS, Plots
from knavtool.report.html.comparison.sides import OF_TWO, side
from knavtool.report.html.sections import Section

if TYPE_CHECKING:
    from knavtool.measure.comparing import Comparison
    from knavtool.report.html.charts.chart import Chart


def sections(comparison: Comparison) -> tuple[Chart, list[Section]]:
    """The plot of the first screen, and the sections with all others."""
    runs = {"A": comparison.before, "B": comparison.after}
    bare = [f"{run.label} has measures only" for run in runs.values() if run.tables is None]
    sides = [] if bare else [side(key, run, OF_TWO[key]) for key, run in runs.items()]
    plots = Plots(
        runs,
        [one for one in sides if one is not None],
        why=f"{' and '.join(bare)}; plots need recordings" if bare else "",
    )
    apart = {one.name: f" {told(one)}." for one in comparison.distances}
    bound, allocated = plots.bound(), plots.allocated()
    rates = plots.column(
        "rates", "bound", "rates", "Bindings per second", "Pods bound in each second.", y="pods per second"
    )
    free = plots.column(
        "blocks", "free", "free", "Free GPUs", "GPUs of Ready nodes that no pod holds.", unit="GPUs", why=NO_GPUS
    )
    waits = [
        plots.waits(name, title, more=apart.get(name, ""))
        for name, title in (
            ("pod.wait", "Pods: created to bound"),
            ("gang.wait", "Gangs: created to minCount-th bound"),
        )
    ]
    first = allocated if allocated.spec else bound
    built = [
        Section("pods", "Pods", [bound, plots.pending(), rates]),
        Section("waits", "Waiting times", waits),
        Section("gpus", "GPUs", [allocated, free, plots.stranded()]),
    ]
    return first, [Section(part.id, part.title, [one for one in part.charts if one.id != first.id]) for part in built]
