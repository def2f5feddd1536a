"""Step series over time: lines, and areas that add up."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, Any

from knavtool.report.html import theme
from knavtool.report.html.charts import chart
from knavtool.report.html.charts.chart import MOST, Chart
from knavtool.report.html.thinning import kept, largest, settled, wide

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from knavtool.measure.table import Measured

_MOST_ROWS = 60  # of the table behind a plot
_PLACES = 60  # tried for a label

Columns = dict[str, list[float | None]]


def from_rows(rows: Iterable[tuple[float, Hashable, float | None]]) -> tuple[list[float], Columns]:
    """Step series of (time, name, value): the largest ones, and what is left as `others`."""
    times, found = wide(rows)
    named: Columns = {}
    several = largest(found, theme.SERIES)
    # The same order in every plot, so that a queue keeps its colour; what is left comes last.
    rest = [name for name in several if name not in found]
    for name in [*sorted((name for name in several if name in found), key=str), *rest]:
        values = several[name]
        text = chart.clipped(name)
        while text in named:
            text += "'"
        named[text] = values
    return times, named


def stepped(
    measured: Measured,
    times: Sequence[float],
    series: Columns,
    *,
    id: str,  # noqa: A002 - it is the id of an element
    title: str,
    text: str,
    unit: str,
    sources: Sequence[str],
    stacked: bool = False,
    percent: bool = False,
    y_title: str = "",
    rule: tuple[float, str] | None = None,
    line: tuple[Sequence[float], Sequence[float], str] | None = None,
    height: int = chart.HEIGHT,
    why: str = "",
    top: float | None = None,
) -> Chart:
    """A chart of step series; `times` ascend. `rule` is one value with a label, `line` a step line with a label."""
    if not times or not series or all(value is None for values in series.values() for value in values):
        return Chart(id=id, title=title, text=text, why=why or "nothing of this was recorded", sources=sources)
    times, series = settled(times, series)
    shown = kept(times, [*series.values(), *([_total(series)] if stacked and len(series) > 1 else [])], MOST)
    axis = chart.span(measured.about)
    points = [(axis.at(times[index]), index) for index in shown]
    if points[-1][0] < axis.end:
        points.append((axis.end, shown[-1]))
    names = list(series)
    data = [
        {"t": at, "k": name, "v": _number(series[name][index])}
        for name in names
        for at, index in points
        if series[name][index] is not None
    ]
    y: dict[str, Any] = {"field": "v", "type": "quantitative", "axis": {"title": y_title or unit}}
    if percent:
        y["axis"]["format"] = ".0%"
    if top is not None:
        y["scale"] = {"domain": [0, top], "nice": False}
    layers: list[Any] = []
    if stacked:
        layers += [_areas(data, names, axis, y), *_labels(points, series, names, axis, y)]
    else:
        layers.append(_lines(data, names, axis, y))
    if rule is not None:
        layers += chart.rule_layers(rule[0], rule[1], {key: value for key, value in y.items() if key != "stack"})
    if line is not None:
        layers += _step_line(line, axis, y)
    layers += chart.gap_layers(measured)
    return Chart(
        id=id,
        title=title,
        text=text,
        says=_says(series, times, unit, percent=percent),
        spec=chart.layered(layers, height=height),
        sources=sources,
        readout={"unit": "%" if percent else unit, "time": axis.unit, "sum": stacked and len(names) > 1},
        columns=[f"time [{axis.unit}]", *names],
        rows=_table(times, series, axis),
    )


def _areas(data: list[Any], names: Sequence[str], axis: chart.Span, y: Mapping[str, Any]) -> dict[str, Any]:
    order = {"field": "o", "type": "quantitative"}
    places = {name: number for number, name in enumerate(names)}
    return {
        "data": {"name": "main", "values": [{**row, "o": places[row["k"]]} for row in data]},
        "mark": {"type": "area", "interpolate": "step-after", "clip": True},
        "encoding": {
            "x": axis.x(),
            "y": {**y, "stack": "zero"},
            "fill": chart.color_of(names, fills=True, legend=True),
            "order": order,
        },
    }


def _lines(data: list[Any], names: Sequence[str], axis: chart.Span, y: Mapping[str, Any]) -> dict[str, Any]:
    encoding: dict[str, Any] = {"x": axis.x(), "y": y}
    if len(names) > 1:
        encoding |= {"stroke": chart.color_of(names), "strokeDash": chart.dash_of(names)}
    return {
        "data": {"name": "main", "values": data},
        "mark": {
            "type": "line",
            "interpolate": "step-after",
            "strokeWidth": 1.8,
            "clip": True,
            "stroke": theme.COLORS[0],
        },
        "encoding": encoding,
    }


def _labels(
    points: Sequence[tuple[float, int]],
    series: Columns,
    names: Sequence[str],
    axis: chart.Span,
    y: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """The name of each area, written where it stays thick for long enough; what is too thin has only its legend."""
    if len(names) < 2:
        return []
    highest = max(_total(series)) or 1.0
    edges = [[0.0] * len(points)]
    for name in names:
        edges.append([edge + (series[name][index] or 0) for edge, (_, index) in zip(edges[-1], points, strict=True)])
    found = []
    for place, name in enumerate(names):
        best = (0.0, 0.0, 0.0)
        need = (len(name) * 7 + 12) / chart.WIDTH * axis.end
        for first in range(0, len(points), max(1, len(points) // _PLACES)):
            start = points[first][0]
            last = bisect.bisect_left(points, (start + need, -1))
            if start + need > axis.end:
                break
            low, high = max(edges[place][first:last]), min(edges[place + 1][first:last])
            best = max(best, (high - low, start + need / 2, (high + low) / 2))
        if best[0] > highest * 0.09:
            found.append({"t": round(best[1], 4), "v": best[2], "k": name})
    if not found:
        return []
    encoding = {
        "x": axis.x(),
        "y": {**{key: value for key, value in y.items() if key != "stack"}},
        "text": {"field": "k", "type": "nominal"},
    }
    mark = {"type": "text", "fontWeight": 600, "fontSize": 12, "baseline": "middle", "clip": True}
    data = {"values": found}
    halo = {**mark, "stroke": "var(--page)", "strokeWidth": 4, "strokeJoin": "round", "fill": "var(--page)"}
    return [{"data": data, "mark": halo, "encoding": encoding}, {"data": data, "mark": mark, "encoding": encoding}]


def _step_line(
    line: tuple[Sequence[float], Sequence[float], str], axis: chart.Span, y: Mapping[str, Any]
) -> list[dict[str, Any]]:
    times, values, label = line
    shown = kept(times, [values], MOST)
    points = [{"t": axis.at(times[index]), "v": values[index]} for index in shown]
    points.append({"t": axis.end, "v": values[-1]})
    place = {key: value for key, value in y.items() if key != "stack"}
    return [
        {
            "data": {"values": points},
            "mark": {
                "type": "line",
                "interpolate": "step-after",
                "stroke": "var(--ink)",
                "strokeDash": [5, 4],
                "strokeWidth": 1.4,
                "clip": True,
            },
            "encoding": {"x": axis.x(), "y": place},
        },
        {
            "data": {"values": points[-1:]},
            "mark": {"type": "text", "align": "right", "baseline": "bottom", "dy": -4, "text": label},
            "encoding": {"x": axis.x(), "y": place},
        },
    ]


def _total(series: Columns) -> list[float]:
    return [sum(value or 0 for value in row) for row in zip(*series.values(), strict=True)]


def _number(value: float | None) -> float | None:
    return round(value, 6) if isinstance(value, float) else value


def _says(series: Columns, times: Sequence[float], unit: str, *, percent: bool) -> str:
    told = []
    for name, values in series.items():
        known = [value for value in values if value is not None]
        if known:
            factor, sign = (100, "%") if percent else (1, f" {unit}")
            told.append(f"{name}: {min(known) * factor:.4g} to {max(known) * factor:.4g}{sign}")
    return f"From {times[0]:.4g} s to {times[-1]:.4g} s. " + "; ".join(told) + "."


def _table(times: Sequence[float], series: Columns, axis: chart.Span) -> list[list[Any]]:
    """The same in few rows, with every extreme."""
    shown = kept(times, series.values(), _MOST_ROWS)
    if len(shown) > 2 * _MOST_ROWS:
        shown = kept(times, [_total(series)], _MOST_ROWS)
    return [[axis.at(times[index]), *(_number(values[index]) for values in series.values())] for index in shown]
