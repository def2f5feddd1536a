"""Which five measures matter most in a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.measure.table import Measure, Measured


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure with what people call it, and the section of the page that shows more."""

    measure: str
    title: str
    section: str


_ALL = (
    Figure("makespan", "Makespan", "timeline"),
    Figure("gang.wait.p95", "Gang wait, P95", "latency"),
    Figure("pod.wait.p95", "Pod wait, P95", "latency"),
    Figure("gpu.occupancy.mean", "GPU occupancy, mean", "occupancy"),
    Figure("gpu.stranded.mean", "Stranded GPUs, mean", "stranded"),
    Figure("gang.partial.time", "Gangs bound in part", "gantt"),
    Figure("preemptions.count", "Preemptions", "preemptions"),
    Figure("pods.rate.mean", "Pods bound, mean", "rates"),
    Figure("pods.rate.max", "Pods bound, best second", "rates"),
    Figure("pods.count", "Pods created", "timeline"),
    Figure("pods.bound", "Pods bound", "timeline"),
)
_COUNT = 5


def chosen(measured: Measured) -> list[Figure]:
    """Five of them: what is known comes first, in the order above, and zeros make room for what happened."""
    return chosen_of(measured.measures)


def chosen_of(measures: Mapping[str, Measure]) -> list[Figure]:
    """The same of measures alone, all of which must be there."""

    def value(figure: Figure) -> float | None:
        return measures[figure.measure].value

    known = [figure for figure in _ALL if value(figure) is not None]
    if any(figure.measure == "gang.wait.p95" for figure in known):
        known = [figure for figure in known if figure.measure != "pod.wait.p95"]
    dull = [
        figure for figure in known if figure.measure in ("gang.partial.time", "preemptions.count") and not value(figure)
    ]
    first = [figure for figure in known if figure not in dull]
    unknown = [figure for figure in _ALL if figure not in known and figure.measure != "pod.wait.p95"]
    taken = [*first, *dull, *unknown][:_COUNT]
    return sorted(taken, key=_ALL.index)
