"""Runs as plots over each other need them: their names and looks, and series from the first creation of a pod on."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.report.html import theme
from knavtool.report.html.charts import chart
from knavtool.report.html.thinning import settled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knavtool.measure.comparing import Run


@dataclass(frozen=True, slots=True)
class Look:
    """How the line of a run is drawn."""

    color: str
    dash: Sequence[int]


OF_TWO = {"A": Look(theme.COLORS[5], [6, 3]), "B": Look(theme.COLORS[0], [1, 0])}
"""The looks of two runs, by their letters."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the runs in a plot: `key` is its letter, `zero` its first creation of a pod."""

    key: str
    name: str
    look: Look
    zero: float
    end: float
    gaps: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Series:
    """A step series from zero on; `times` ascend from 0 to the end of the recording."""

    times: Sequence[float]
    values: Sequence[float]

    def at(self, time: float) -> float:
        """The value at a moment."""
        return self.values[max(bisect.bisect_right(self.times, time) - 1, 0)]


def side(key: str, run: Run, look: Look, name: str = "") -> Side | None:
    """A run as plots need it; None if it has no tables, or no pod was created. Without a `name` it is its file."""
    if run.tables is None or run.about is None:
        return None
    created = [one for one in run.tables["pods"].column("created") if one is not None]
    if not created:
        return None
    zero = min(created)
    end = run.about.seconds - zero
    gaps = [
        (max((row["began"] or 0.0) - zero, 0.0), end if row["ended"] is None else row["ended"] - zero)
        for row in run.tables["gaps"].dicts()
    ]
    short = name or "/".join(run.label.rstrip("/").split("/")[-2:])
    return Side(key, f"{key}: {chart.clipped(short, 30)}", look, zero, end, [gap for gap in gaps if gap[1] > 0])


def series(of: Side, times: Sequence[float], values: Sequence[float | None]) -> Series | None:
    """Steps of a run from its zero on, None if there are none; what is not known is left out."""
    known = [(time - of.zero, value) for time, value in zip(times, values, strict=True) if value is not None]
    before = [value for time, value in known if time <= 0]
    known = [(0.0, before[-1] if before else 0.0), *((time, value) for time, value in known if time > 0)]
    if len(known) == 1 and not before:
        return None
    at, found = settled([time for time, _ in known], {"v": [value for _, value in known]})
    steps = [value or 0.0 for value in found["v"]]
    if at[-1] < of.end:
        at.append(of.end)
        steps.append(steps[-1])
    return Series(at, steps)
