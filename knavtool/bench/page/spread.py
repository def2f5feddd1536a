"""The repetitions of all contenders as points, one plot for each measure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.bench.words import between, shown
from knavtool.measure.names import meaning_of, unit_of
from knavtool.report.html import theme
from knavtool.report.html.charts import chart
from knavtool.report.html.charts.chart import Chart
from knavtool.report.measured.numbers import factor_of, value_and_unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.bench.result import Cell, Result

_ROW = 34
"""Pixels of one contender."""


def spreads(result: Result, scenario: str, prefix: str) -> Iterator[Chart]:
    """One plot for each measure; `prefix` begins their ids."""
    for measure in result.measures:
        yield _spread(result, scenario, measure, f"{prefix}spread-{measure.replace('.', '-')}")


def _spread(result: Result, scenario: str, measure: str, name: str) -> Chart:
    cells = [result.cell(scenario, one.name, measure) for one in result.contenders]
    known = [one for one in cells if one.summary is not None]
    meaning = meaning_of(measure)
    missing = [f" Of {one.contender} it is not known: {one.why}." for one in cells if one.summary is None]
    text = (
        f"{meaning[0].upper()}{meaning[1:]}. A point is a repetition, the line their median, the bar its 95 % interval."
    )
    if not known:
        return Chart(id=name, title=measure, text=text, why="of no contender it is known")
    return Chart(
        id=name,
        title=measure,
        text=text + "".join(missing),
        says=" ".join(f"{one.contender}: median {shown(_median(one), measure)}." for one in known),
        spec=_spec(known, measure),
        columns=("contender", "n", "median", "95 %", *(f"#{number}" for number in range(1, result.repetitions + 1))),
        rows=[_row(one, measure, result.repetitions) for one in known],
    )


def _spec(cells: Sequence[Cell], measure: str) -> Mapping[str, Any]:
    largest = max(abs(value) for one in cells for value in one.samples.values())
    unit = value_and_unit(largest, unit_of(measure), measure)[1]
    factor = factor_of(unit)
    names = [chart.clipped(one.contender) for one in cells]
    points, middles = [], []
    for one, name in zip(cells, names, strict=True):
        for number, value in one.samples.items():
            marked = "marked" if number in one.marked else "counted"
            points.append({"c": name, "v": round(value * factor, 6), "n": number, "m": marked})
        low, high = (one.summary.median_interval if one.summary else None) or (_median(one), _median(one))
        middles.append({"c": name, "v": _median(one) * factor, "a": low * factor, "b": high * factor})
    y = {"field": "c", "type": "nominal", "sort": names, "title": None, "axis": {"labelLimit": 180, "ticks": False}}
    x = {
        "field": "v",
        "type": "quantitative",
        "scale": {"zero": False, "nice": True},
        "axis": {"title": f"{measure} [{unit}]" if unit else measure},
    }
    scale = {"domain": names, "range": [theme.COLORS[index % theme.SERIES] for index in range(len(names))]}
    color = {"field": "c", "type": "nominal", "sort": None, "scale": scale, "legend": None}
    layers = [
        {
            "data": {"values": middles},
            "mark": {"type": "bar", "height": 12, "opacity": 0.25},
            "encoding": {"y": y, "x": {**x, "field": "a"}, "x2": {"field": "b"}, "fill": color},
        },
        {
            "data": {"values": middles},
            "mark": {"type": "tick", "thickness": 2.5, "size": 22},
            "encoding": {"y": y, "x": x, "stroke": color, "fill": color},
        },
        {
            "data": {"name": "main", "values": points},
            "mark": {"type": "point", "size": 46, "strokeWidth": 1.8},
            "encoding": {
                "y": y,
                "x": x,
                "stroke": color,
                "shape": {
                    "field": "m",
                    "type": "nominal",
                    "scale": {"domain": ["counted", "marked"], "range": ["circle", "cross"]},
                    "legend": None,
                },
                "tooltip": [
                    {"field": "c", "title": "contender"},
                    {"field": "n", "title": "repetition"},
                    {"field": "v", "title": unit or "value"},
                ],
            },
        },
    ]
    # Names are measured with another font than that of the reader.
    padding = {**theme.CONFIG["padding"], "left": 20}
    return {**chart.layered(layers, height=_ROW * len(cells)), "padding": padding}


def _median(cell: Cell) -> float:
    return cell.summary.median if cell.summary is not None else 0.0


def _row(cell: Cell, measure: str, repetitions: int) -> list[Any]:
    assert cell.summary is not None  # noqa: S101 - of those that have one
    values = [shown(cell.samples[one], measure) if one in cell.samples else None for one in range(1, repetitions + 1)]
    return [cell.contender, len(cell.samples), shown(_median(cell), measure), between(cell.summary, measure), *values]
