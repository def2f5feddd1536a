"""Series of several runs in one plot, aligned at the first creation of a pod of each."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from knavtool.report.html import theme
from knavtool.report.html.charts import chart
from knavtool.report.html.charts.chart import Chart, Span
from knavtool.report.html.thinning import kept, quantile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knavtool.report.html.comparison.sides import Look, Series, Side

_MOST_ROWS = 40  # of the table behind a plot
_STEPS = 300  # points of a distribution
_DENSE = 800  # points of both runs; their lines are thin, so that one does not hide the other
_PLACES = 60  # tried for a letter
_LABELLED = (0.75, 0.5, 0.9, 0.35, 0.6, 0.8, 0.25, 0.45)  # parts of a distribution


def stepped(
    sides: Sequence[Side],
    found: Mapping[str, Series],
    *,
    id: str,  # noqa: A002 - it is the id of an element
    title: str,
    text: str,
    unit: str,
    y_title: str = "",
    rule: tuple[float, str] | None = None,
    why: str,
) -> Chart:
    """One step line of each run, of those that have one; `rule` is one value with a label."""
    if not found:
        return Chart(id=id, title=title, text=text, why=why)
    axis = Span(max(one.end for one in sides))
    x = {**axis.x(), "axis": {"title": f"time since the first pod was created [{axis.unit}]", "labelSeparation": 8}}
    names = {one.key: one.name for one in sides if one.key in found}
    data = [
        {"t": axis.at(one.times[index]), "k": names[key], "v": round(one.values[index], 6)}
        for key, one in found.items()
        for index in kept(one.times, [one.values], chart.MOST)
    ]
    y: dict[str, Any] = {"field": "v", "type": "quantitative", "axis": {"title": y_title or unit}}
    looks = {one.key: one.look for one in sides}
    layers = [_lines(data, names, looks, x, y, interpolate="step-after"), *_labels(_places(found, axis), looks, x, y)]
    if rule is not None:
        layers += chart.rule_layers(rule[0], rule[1], y)
    layers += _gaps(sides, axis)
    missing = [f" Of {one.key} nothing of this was recorded." for one in sides if one.key not in found]
    return Chart(
        id=id,
        title=title,
        text=text + "".join(missing),
        says=" ".join(f"{key}: {min(one.values):.4g} to {max(one.values):.4g} {unit}." for key, one in found.items()),
        spec=chart.layered(layers, height=240),
        readout={"unit": unit, "time": axis.unit, "sum": False},
        columns=[f"time [{axis.unit}]", *names.values()],
        rows=_rows(found, axis),
    )


def distributed(
    sides: Sequence[Side],
    found: Mapping[str, Sequence[float]],
    *,
    id: str,  # noqa: A002 - see above
    title: str,
    text: str,
    why: str,
) -> Chart:
    """The part of the sorted seconds of each run that is no longer than so long."""
    found = {key: values for key, values in found.items() if values}
    if not found:
        return Chart(id=id, title=title, text=text, why=why)
    names = {one.key: one.name for one in sides if one.key in found}
    looks = {one.key: one.look for one in sides}
    data, labels = [], []
    for (key, values), part in zip(found.items(), itertools.cycle(_LABELLED), strict=False):
        steps = max(min(len(values) - 1, _STEPS), 1)
        data += [
            {"k": names[key], "v": round(quantile(values, step / steps), 6), "p": round(step / steps, 5)}
            for step in range(steps + 1)
        ]
        labels.append({"side": key, "p": part, "v": quantile(values, part), "below": False})
    x = {"field": "v", "type": "quantitative", "axis": {"title": "waiting time [s]"}}
    y = {
        "field": "p",
        "type": "quantitative",
        "axis": {"title": "part of all", "format": ".0%"},
        "scale": {"domain": [0, 1]},
    }
    line = _lines(data, names, looks, x, y, interpolate="linear")
    line["encoding"] |= {
        "order": {"field": "p", "type": "quantitative"},
        "tooltip": [
            {"field": "k", "title": "of"},
            {"field": "p", "title": "part", "format": ".1%"},
            {"field": "v", "title": "at most [s]", "format": ".4f"},
        ],
    }
    levels = {
        "data": {"values": [{"p": 0.5}, {"p": 0.95}]},
        "mark": {"type": "rule", "strokeDash": [1, 3], "stroke": "var(--soft)"},
        "encoding": {"y": y},
    }
    rows = [
        [names[key], len(values), *(round(quantile(values, part), 6) for part in (0.5, 0.9, 0.95, 0.99, 1))]
        for key, values in found.items()
    ]
    return Chart(
        id=id,
        title=title,
        text=text,
        says=" ".join(f"{row[0]}: median {row[2]:.4g} s, P95 {row[4]:.4g} s, longest {row[6]:.4g} s." for row in rows),
        spec=chart.layered([levels, line, *_labels(labels, looks, x, y)], height=240),
        columns=("of", "n", "P50 [s]", "P90 [s]", "P95 [s]", "P99 [s]", "max [s]"),
        rows=rows,
    )


def _lines(
    data: list[Any],
    names: Mapping[str, str],
    looks: Mapping[str, Look],
    x: Mapping[str, Any],
    y: Mapping[str, Any],
    *,
    interpolate: str,
) -> dict[str, Any]:
    def scaled(values: Sequence[Any]) -> dict[str, Any]:
        return {
            "field": "k",
            "type": "nominal",
            "sort": None,
            "scale": {"domain": list(names.values()), "range": values},
            "legend": {"symbolType": "stroke", "columns": chart.columns_for(list(names.values()))},
        }

    return {
        "data": {"name": "main", "values": data},
        "mark": {
            "type": "line",
            "interpolate": interpolate,
            "strokeWidth": 1.8 if len(data) < _DENSE else 1.1,
            "clip": True,
        },
        "encoding": {
            "x": x,
            "y": y,
            "stroke": scaled([looks[key].color for key in names]),
            "strokeDash": scaled([list(looks[key].dash) for key in names]),
        },
    }


def _places(found: Mapping[str, Series], axis: Span) -> list[dict[str, Any]]:
    """Where each line gets its letter: where they are farthest apart, a single one where it is highest."""
    end = min(one.times[-1] for one in found.values())
    moments = [end * number / _PLACES for number in range(2, _PLACES)]
    lines = list(found.values())

    def apart(time: float) -> float:
        values = sorted(line.at(time) for line in lines)
        return min((high - low for low, high in itertools.pairwise(values)), default=values[0])

    # The last of several alike, where a line that only grows has left the axis.
    place = max(reversed(moments), key=apart)
    high = max(max(one.values) for one in lines)
    upper = max(one.at(place) for one in lines)
    return [
        # Below its line, if that is not the upper one and there is room.
        {"t": axis.at(place), "v": one.at(place), "side": key, "below": high * 0.15 < one.at(place) < upper}
        for key, one in found.items()
    ]


def _labels(
    labels: list[dict[str, Any]], looks: Mapping[str, Look], x: Mapping[str, Any], y: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The letters of the runs at their lines."""
    found: list[dict[str, Any]] = []
    for one in labels:
        place = {"baseline": "top", "dy": 5} if one["below"] else {"baseline": "bottom", "dy": -4}
        mark = {"type": "text", "fontWeight": 700, "fontSize": 13, "text": one["side"], **place}
        halo = {"stroke": "var(--page)", "strokeWidth": 4, "strokeJoin": "round", "fill": "var(--page)"}
        styles = (halo, {"fill": looks[one["side"]].color})
        found += [
            {"data": {"values": [one]}, "mark": {**mark, **style}, "encoding": {"x": x, "y": y}} for style in styles
        ]
    return found


def _gaps(sides: Sequence[Side], axis: Span) -> list[dict[str, Any]]:
    """Bands where one of the recordings saw nothing."""
    bands = [
        {"a": axis.at(began), "b": axis.at(ended), "text": f"{one.key} not seen"}
        for one in sides
        for began, ended in one.gaps
    ]
    if not bands:
        return []
    x = {"x": axis.x("a"), "x2": {"field": "b"}}
    return [
        {
            "data": {"values": bands},
            "mark": {"type": "rect", "fill": theme.GAP, "stroke": "var(--line)", "clip": True},
            "encoding": x,
        },
        {
            "data": {"values": bands[:3]},
            "mark": {
                "type": "text",
                "align": "left",
                "baseline": "bottom",
                "dy": -4,
                "fontSize": 11,
                "fill": "var(--soft)",
            },
            "encoding": {"x": axis.x("a"), "y": {"value": 0}, "text": {"field": "text", "type": "nominal"}},
        },
    ]


def _rows(found: Mapping[str, Series], axis: Span) -> list[list[Any]]:
    """The same in few rows: moments at which a line is at an extreme of its interval."""
    moments = {one.times[index] for one in found.values() for index in kept(one.times, [one.values], _MOST_ROWS)}
    return [[axis.at(time), *(round(one.at(time), 6) for one in found.values())] for time in sorted(moments)]
