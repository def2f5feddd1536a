"""One repetition of each contender over time, all on one axis from the first creation of a pod on."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from knavtool.report.html import theme
from knavtool.report.html.comparison.plots import Plots
from knavtool.report.html.comparison.sides import Look, side

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.measure.comparing import Run
    from knavtool.report.html.charts.chart import Chart


def curves(runs: Mapping[str, Run], prefix: str) -> list[Chart]:
    """The plots of runs by the names of their contenders, of the first eight; `prefix` begins their ids."""
    by_key: dict[str, Run] = {}
    sides = []
    for index, (name, run) in enumerate(list(runs.items())[: theme.SERIES]):
        key = string.ascii_uppercase[index]
        found = side(key, run, Look(theme.COLORS[index], theme.DASHES[index]), name)
        if found is not None:
            by_key[key] = run
            sides.append(found)
    plots = Plots(by_key, sides, prefix=prefix)
    return [
        plots.allocated(),
        plots.bound(),
        plots.pending(),
        plots.stranded(),
        plots.waits("pod.wait", "Pods: created to bound"),
        plots.waits("gang.wait", "Gangs: created to minCount-th bound"),
    ]
