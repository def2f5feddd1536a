"""Queues: how long they let wait, what they get of what they should."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.report.html import theme
from knavtool.report.html.charts import chart
from knavtool.report.html.charts.chart import Chart
from knavtool.report.html.charts.stepped import from_rows, stepped
from knavtool.report.html.thinning import quantile

if TYPE_CHECKING:
    from knavtool.measure.table import Measured

_MOST = 24  # rows of a plot
_ROW = 30  # pixels


def waits(measured: Measured) -> Chart:
    """A box per queue and priority."""
    gangs = [row for row in measured.tables["gangs"].dicts() if row["wait"] is not None]
    what = "gangs" if gangs else "pods"
    rows = gangs or [row for row in measured.tables["pods"].dicts() if row["wait"] is not None]
    base: dict[str, Any] = {
        "id": "waits",
        "title": "Waiting time by queue",
        "text": f"Of the {what} of each queue: the box holds the middle half, the bar in it is the median, "
        "the line reaches from the shortest to the longest wait.",
        "sources": ("queues", what),
    }
    if not rows:
        return Chart(**base, why="no pod was bound")
    priorities = len({row["priority"] for row in rows}) > 1
    groups: dict[str, list[float]] = {}
    for row in rows:
        name = chart.clipped(row["queue"], 22)
        if priorities:
            name += f" · priority {row['priority'] if row['priority'] is not None else 'unknown'}"
        groups.setdefault(name, []).append(row["wait"])
    found = []
    for name, values in sorted(groups.items(), key=lambda one: -max(one[1]))[:_MOST]:
        values.sort()
        low, q1, middle, q3, high = (round(quantile(values, part), 6) for part in (0, 0.25, 0.5, 0.75, 1))
        found.append(
            {"k": name, "n": len(values), "low": low, "q1": q1, "mid": middle, "q3": q3, "high": high}
            | {"p95": round(quantile(values, 0.95), 6), "label": f"{name} (n={len(values)})"}
        )
    y = {
        "field": "label",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "labelColor": "var(--ink)", "labelLimit": 240},
    }
    tooltip = [
        {"field": name, "title": title, **({"format": ".4f"} if name not in ("k", "n") else {})}
        for name, title in (
            ("k", "queue"), ("n", "n"), ("low", "shortest [s]"), ("q1", "P25 [s]"), ("mid", "median [s]"),
            ("q3", "P75 [s]"),
            ("p95", "P95 [s]"), ("high", "longest [s]"),
        )
    ]  # fmt: skip
    x = {"type": "quantitative", "axis": {"title": "waiting time [s]", "grid": True}}
    data = {"name": "main", "values": found}
    layers: list[dict[str, Any]] = [
        {
            "data": data,
            "mark": {"type": "rule", "stroke": "var(--soft)", "strokeWidth": 1.4},
            "encoding": {"y": y, "x": {**x, "field": "low"}, "x2": {"field": "high"}, "tooltip": tooltip},
        },
        {
            "data": {"name": "main"},
            "mark": {
                "type": "bar",
                "height": 14,
                "fill": theme.COLORS[4],
                "stroke": theme.COLORS[0],
                "strokeWidth": 1.2,
            },
            "encoding": {"y": y, "x": {**x, "field": "q1"}, "x2": {"field": "q3"}, "tooltip": tooltip},
        },
        {
            "data": {"name": "main"},
            "mark": {"type": "tick", "size": 18, "thickness": 2.5, "color": "var(--ink)"},
            "encoding": {"y": y, "x": {**x, "field": "mid"}, "tooltip": tooltip},
        },
        {
            "data": {"name": "main"},
            "mark": {"type": "point", "shape": "diamond", "size": 50, "filled": True, "fill": "var(--ink)"},
            "encoding": {"y": y, "x": {**x, "field": "high"}, "tooltip": tooltip},
        },
    ]
    says = "; ".join(f"{one['k']}: median {one['mid']:.4g} s, longest {one['high']:.4g} s" for one in found)
    columns = ("queue", "n", "shortest [s]", "P25 [s]", "median [s]", "P75 [s]", "P95 [s]", "longest [s]")
    table = [[one[name] for name in ("k", "n", "low", "q1", "mid", "q3", "p95", "high")] for one in found]
    spec = chart.layered(layers, height=max(70, _ROW * len(found)))
    return Chart(**base, says=f"{says}.", spec=spec, columns=columns, rows=table)


def shares(measured: Measured) -> Chart:
    """The use of each queue over its quota."""
    quota = any(value is not None for value in measured.tables["queues"].column("quota"))
    rows = [(row["time"], row["queue"], row["share"]) for row in measured.tables["fairness"].dicts()]
    times, series = from_rows(rows) if len({row[1] for row in rows}) <= theme.SERIES else _first(rows)
    return stepped(
        measured,
        times,
        series,
        id="shares",
        title="Share of quota by queue" if quota else "Share of the cluster by queue",
        text="What each queue uses of its quota; above 100 % it borrows."
        if quota
        else "No queue has a quota, so this is what each one uses of the whole cluster.",
        unit="",
        percent=True,
        y_title="of quota" if quota else "of capacity",
        sources=("fairness", "queues"),
        rule=(1.0, "quota") if quota else None,
        why="there is no queue",
    )


def dominant(measured: Measured) -> Chart:
    """Jain's index over time."""
    seen: dict[float, float | None] = {row["time"]: row["jain"] for row in measured.tables["fairness"].dicts()}
    times = sorted(time for time, value in seen.items() if value is not None)
    return stepped(
        measured,
        times,
        {"Jain's index": [seen[time] for time in times]},
        id="jain",
        title="Fairness between queues",
        text="Jain's index over the queues that want something: 1 if all get the same share, 1/n if one of n gets all.",
        unit="",
        y_title="Jain's index",
        sources=("fairness",),
        top=1.0,
        why="there is no queue with demand",
    )


def quotas(measured: Measured) -> Chart:
    """Mean and highest use of each queue beside its quota."""
    rows = [row for row in measured.tables["queues"].dicts() if row["quota"] is not None and row["used"] is not None][
        :_MOST
    ]
    base: dict[str, Any] = {
        "id": "quotas",
        "title": "Use and quota",
        "text": "The bar is the mean use over the run, the thin line reaches to the highest, the mark is the quota.",
        "sources": ("queues",),
    }
    if not rows:
        return Chart(**base, why="no queue has a quota")
    found = [
        {"k": f"{chart.clipped(row['queue'], 22)} · {chart.clipped(row['resource'], 20)}"}
        | {"used": round(row["used"], 3), "most": row["used_max"], "quota": row["quota"]}
        for row in rows
    ]
    y = {
        "field": "k",
        "type": "nominal",
        "sort": None,
        "axis": {"title": None, "labelColor": "var(--ink)", "labelLimit": 280},
    }
    tooltip = [
        {"field": "k", "title": "queue"},
        {"field": "used", "title": "mean use"},
        {"field": "most", "title": "highest use"},
        {"field": "quota", "title": "quota"},
    ]
    x = {"type": "quantitative", "axis": {"title": "of its resource", "grid": True}}
    layers: list[dict[str, Any]] = [
        {
            "data": {"name": "main", "values": found},
            "mark": {"type": "bar", "height": 14, "fill": theme.COLORS[0]},
            "encoding": {"y": y, "x": {**x, "field": "used"}, "tooltip": tooltip},
        },
        {
            "data": {"name": "main"},
            "mark": {"type": "rule", "stroke": theme.COLORS[0], "strokeWidth": 1.6},
            "encoding": {"y": y, "x": {**x, "field": "used"}, "x2": {"field": "most"}},
        },
        {
            "data": {"name": "main"},
            "mark": {"type": "tick", "size": 24, "thickness": 3, "color": "var(--ink)"},
            "encoding": {"y": y, "x": {**x, "field": "quota"}, "tooltip": tooltip},
        },
    ]
    says = "; ".join(f"{one['k']}: {one['used']:g} of {one['quota']:g}" for one in found)
    table = [[one["k"], one["used"], one["most"], one["quota"]] for one in found]
    spec = chart.layered(layers, height=max(60, _ROW * len(found)))
    return Chart(**base, says=f"{says}.", spec=spec, columns=("queue", "mean use", "highest use", "quota"), rows=table)


def _first(rows: list[tuple[float, str, float | None]]) -> Any:
    """Shares do not add up to others: only the queues with the highest are drawn."""
    highest: dict[str, float] = {}
    for _, name, value in rows:
        highest[name] = max(highest.get(name, 0.0), value or 0.0)
    chosen = set(sorted(highest, key=lambda name: -highest[name])[: theme.SERIES])
    return from_rows(row for row in rows if row[1] in chosen)
