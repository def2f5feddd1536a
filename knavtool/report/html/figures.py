"""The five figures that matter in a run as tiles, each with its plot in small."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.measure.names import meaning_of
from knavtool.report.html import marks
from knavtool.report.html.charts.gpus import capacity
from knavtool.report.html.thinning import kept, quantile, wide
from knavtool.report.measured.numbers import value_and_unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knavtool.measure.table import Measured
    from knavtool.report.measured.figures import Figure


def tile(measured: Measured, figure: Figure) -> str:
    """One figure: title, number, unit, plot, and over how many samples it is."""
    measure = measured.measures[figure.measure]
    shown, unit = value_and_unit(measure.value, measure.unit, measure.name)
    exact = "" if measure.value is None else f' value="{measure.value!r}"'
    number = f'<data class="value" data-measure="{figure.measure}"{exact}>{marks.text(shown)}</data>'
    under = marks.text(measure.why) if measure.value is None else f"n = {measure.n:,}"
    points, top = _points(measured, figure.measure)
    return (
        f'<a class="tile" href="#{figure.section}" title="{marks.text(meaning_of(figure.measure))}">'
        f'<span class="name">{marks.text(figure.title)}</span>'
        f'<span class="number">{number}<span class="unit">{marks.text(unit)}</span></span>'
        f'{marks.sparkline(points, top=top)}<span class="under">{under}</span></a>'
    )


def _points(measured: Measured, name: str) -> tuple[list[tuple[float, float]], float | None]:
    """The plot of a figure, and the value at its upper edge if that is not the highest."""
    tables = measured.tables
    if name.endswith("wait.p95"):
        waits = sorted(one for one in tables[f"{name.partition('.')[0]}s"].column("wait") if one is not None)
        if not waits:
            return [], None
        return [(quantile(waits, part / 60), part / 60) for part in range(61)], 1.0
    if name == "gpu.occupancy.mean":
        times, series = wide(tables["pools"].rows or tables["occupancy"].rows)
        offered = capacity(measured)
        return _thin(times, [sum(v or 0 for v in row) for row in zip(*series.values(), strict=True)]), (
            max(offered[1]) if offered else None
        )
    if name == "gpu.stranded.mean":
        return _thin(tables["blocks"].column("time"), tables["blocks"].column("stranded")), None
    if name in ("gang.partial.time", "preemptions.count"):
        return _cumulated(measured, name), None
    if name.startswith("pods.rate"):
        return _thin(tables["rates"].column("time"), tables["rates"].column("bound")), None
    column = {"pods.count": "created", "pods.bound": "bound"}.get(name, "active")
    return _thin(tables["timeline"].column("time"), tables["timeline"].column(column)), None


def _cumulated(measured: Measured, name: str) -> list[tuple[float, float]]:
    if name == "preemptions.count":
        moments = sorted((row["time"], 1.0) for row in measured.tables["preemptions"].dicts())
    else:
        moments = sorted(
            (row["enough"] if row["enough"] is not None else measured.about.seconds, row["partial"])
            for row in measured.tables["gangs"].dicts()
            if row["partial"]
        )
    total, points = 0.0, [(0.0, 0.0)]
    for at, amount in moments:
        total += amount
        points.append((at, total))
    return _thin([at for at, _ in [*points, (measured.about.seconds, total)]], [v for _, v in [*points, (0, total)]])


def _thin(times: Sequence[float], values: Sequence[float | None]) -> list[tuple[float, float]]:
    return [(times[index], values[index] or 0.0) for index in kept(times, [values], 120)]
