"""What became of pods: counts, rates, latencies."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, Any

from knavtool.report.html import theme
from knavtool.report.html.charts import chart
from knavtool.report.html.charts.chart import Chart
from knavtool.report.html.charts.stepped import stepped
from knavtool.report.html.thinning import quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knavtool.measure.table import Measured

_STEPS = 300  # points of a distribution
_BINS = 90  # of time, for latencies
_NO_PODS = "no pod was created"


def timeline(measured: Measured) -> Chart:
    """Pods created, bound, running and finished so far."""
    table = measured.tables["timeline"]
    series = {name: table.column(name) for name in ("created", "bound", "running", "finished")}
    return stepped(
        measured,
        table.column("time"),
        series,
        id="timeline",
        title="Pods created, bound, started, finished",
        text="How many pods have come so far. The space between two lines is what waits between them.",
        unit="pods",
        sources=("timeline",),
        height=280,
        why=_NO_PODS,
    )


def rates(measured: Measured) -> Chart:
    """Pods bound in each second."""
    table = measured.tables["rates"]
    return stepped(
        measured,
        table.column("time"),
        {"bound": table.column("bound"), "created": table.column("created")},
        id="rates",
        title="Bindings per second",
        text="Pods bound in each second, and created in it. Bound above created: a backlog is worked off.",
        unit="pods",
        y_title="pods per second",
        sources=("rates",),
        why=_NO_PODS,
    )


def distribution(measured: Measured) -> Chart:
    """The part of pods and gangs that waited no longer than so long."""
    found = {
        "pods: created to bound": _known(measured, "pods", "wait"),
        "pods: bound to running": _known(measured, "pods", "start"),
        "gangs: created to bound": _known(measured, "gangs", "wait"),
    }
    found = {name: values for name, values in found.items() if values}
    base: dict[str, Any] = {
        "id": "latency",
        "title": "Waiting times",
        "text": "The part of pods and gangs that waited no longer. A gang is bound when minCount of its pods are.",
        "sources": ("pods", "gangs"),
    }
    if not found:
        return Chart(**base, why="no pod was bound")
    data = [
        {"k": name, "v": round(quantile(values, part), 6), "p": round(part, 5)}
        for name, values in found.items()
        for part in _parts(len(values))
    ]
    names = list(found)
    y = {
        "field": "p",
        "type": "quantitative",
        "axis": {"title": "part of all", "format": ".0%"},
        "scale": {"domain": [0, 1]},
    }
    line = {
        "data": {"name": "main", "values": data},
        "mark": {"type": "line", "strokeWidth": 1.8},
        "encoding": {
            "x": {"field": "v", "type": "quantitative", "axis": {"title": "waiting time [s]"}},
            "y": y,
            "order": {"field": "p", "type": "quantitative"},
            "stroke": chart.color_of(names),
            "strokeDash": chart.dash_of(names),
            "tooltip": [
                {"field": "k", "title": "of"},
                {"field": "p", "title": "part", "format": ".1%"},
                {"field": "v", "title": "at most [s]", "format": ".4f"},
            ],
        },
    }
    levels = {
        "data": {"values": [{"p": 0.5}, {"p": 0.95}]},
        "mark": {"type": "rule", "strokeDash": [1, 3], "stroke": "var(--soft)"},
        "encoding": {"y": y},
    }
    columns = ("of", "n", "P50 [s]", "P90 [s]", "P95 [s]", "P99 [s]", "max [s]")
    rows = [
        [name, len(values), *(round(quantile(values, part), 6) for part in (0.5, 0.9, 0.95, 0.99, 1))]
        for name, values in found.items()
    ]
    says = ". ".join(f"{row[0]}: median {row[2]:.4g} s, P95 {row[4]:.4g} s, longest {row[6]:.4g} s" for row in rows)
    return Chart(**base, says=f"{says}.", spec=chart.layered([levels, line], height=260), columns=columns, rows=rows)


def over_time(measured: Measured) -> Chart:
    """How long pods had waited when they were bound, as the run went on."""
    bound = sorted(
        (row["bound"], row["wait"])
        for row in measured.tables["pods"].dicts()
        if row["bound"] is not None and row["wait"] is not None
    )
    left = sum(one is None for one in measured.tables["pods"].column("bound"))
    never = f" {left} pods that were never bound are not here." if left else ""
    base: dict[str, Any] = {
        "id": "latency-time",
        "title": "Waiting time as the run went on",
        "text": "How long the pods had waited that were bound at this moment: median, P95 and the longest." + never,
        "sources": ("pods",),
    }
    if not bound:
        return Chart(**base, why="no pod was bound")
    axis = chart.span(measured.about)
    width = (measured.about.seconds or 1.0) / _BINS
    names = ("longest", "P95", "median")
    data, rows = [], []
    for number in range(_BINS + 1):
        first = bisect.bisect_left(bound, (number * width,))
        last = bisect.bisect_left(bound, ((number + 1) * width,))
        waits = sorted(wait for _, wait in bound[first:last])
        if waits:
            values = (waits[-1], quantile(waits, 0.95), quantile(waits, 0.5))
            at = axis.at((number + 0.5) * width)
            rows.append([at, len(waits), *(round(value, 6) for value in values)])
            data += [
                {"t": at, "k": name, "v": round(value, 6), "n": len(waits)}
                for name, value in zip(names, values, strict=True)
            ]
    y = {"field": "v", "type": "quantitative", "axis": {"title": "waiting time [s]"}}
    marks: list[dict[str, Any]] = [
        {
            "data": {"values": [{"t": row[0], "low": row[4], "high": row[2]} for row in rows]},
            "mark": {"type": "rule", "stroke": "var(--line)", "strokeWidth": 3, "clip": True},
            "encoding": {"x": axis.x(), "y": {**y, "field": "low"}, "y2": {"field": "high"}},
        },
        {
            "data": {"name": "main", "values": data},
            "mark": {"type": "point", "filled": False, "size": 34, "strokeWidth": 1.6, "clip": True},
            "encoding": {
                "x": axis.x(),
                "y": y,
                "stroke": {
                    "field": "k",
                    "type": "nominal",
                    "sort": None,
                    "scale": {"domain": list(names), "range": [theme.COLORS[5], theme.COLORS[1], theme.COLORS[0]]},
                },
                "shape": {
                    "field": "k",
                    "type": "nominal",
                    "sort": None,
                    "scale": {"domain": list(names), "range": ["triangle-up", "square", "circle"]},
                },
            },
        },
    ]
    longest = max(bound, key=lambda one: one[1])
    return Chart(
        **base,
        says=f"The longest wait of a pod, {longest[1]:.4g} s, ended at {longest[0]:.4g} s.",
        spec=chart.layered([*marks, *chart.gap_layers(measured)]),
        readout={"unit": "s", "time": axis.unit, "nearest": True},
        columns=(f"time [{axis.unit}]", "pods", *(f"{name} [s]" for name in names)),
        rows=rows,
    )


def _known(measured: Measured, table: str, column: str) -> list[float]:
    return sorted(value for value in measured.tables[table].column(column) if value is not None)


def _parts(count: int) -> Sequence[float]:
    """The parts at which a distribution is drawn; the ends are always there."""
    steps = min(count - 1, _STEPS)
    return [number / steps for number in range(steps + 1)] if steps else (0.0, 1.0)
