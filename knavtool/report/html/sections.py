"""The sections of the page in their order, and which charts are in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.report.html.charts import gangs, gpus, load, pods, queues

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from knavtool.measure.table import Measured
    from knavtool.report.html.charts.chart import Chart


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its charts."""

    id: str
    title: str
    charts: Sequence[Chart]


_SECTIONS: Sequence[tuple[str, str, Sequence[Callable[[Measured], Chart]]]] = (
    ("pods-over-time", "Pods", (pods.timeline, pods.rates, pods.distribution, pods.over_time)),
    ("gangs", "Gangs", (gangs.gantt,)),
    ("gpus", "GPUs", (gpus.occupancy, gpus.pools, gpus.blocks, gpus.stranded, gpus.heat)),
    ("queues", "Queues", (queues.waits, queues.quotas, queues.shares, queues.dominant)),
    ("held-up", "What held pods up", (gangs.pending, gangs.preemptions)),
    ("load", "Load on the control plane", (load.requests, load.cpu, load.memory)),
)


def titles() -> list[tuple[str, str]]:
    """The id and title of each section."""
    return [(name, title) for name, title, _ in _SECTIONS]


def sections(measured: Measured) -> tuple[Chart, list[Section]]:
    """The chart of the first screen, and the sections with all others."""
    built = [Section(name, title, [one(measured) for one in charts]) for name, title, charts in _SECTIONS]
    every = {chart.id: chart for section in built for chart in section.charts}
    first = every["occupancy"] if every["occupancy"].spec else every["timeline"]
    left_out = {first.id}
    if len({row["pool"] for row in measured.tables["pools"].dicts()}) < 2:
        left_out.add("pools")
    return first, [
        Section(section.id, section.title, [chart for chart in section.charts if chart.id not in left_out])
        for section in built
    ]
