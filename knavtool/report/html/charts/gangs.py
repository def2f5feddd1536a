"""Gangs one by one, and who had to give way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.report.html import theme
from knavtool.report.html.charts import chart
from knavtool.report.html.charts.chart import Chart
from knavtool.report.html.charts.stepped import from_rows, stepped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knavtool.measure.table import Measured

_MOST = 60  # gangs
_ROW = 13  # pixels
_STATES = {
    "queued": ("queued", theme.QUEUED),
    "waiting": ("waiting", theme.WAITING),
    "partial": ("bound in part", theme.PARTIAL),
    "bound": ("bound", theme.COLORS[0]),
}
"""What people call the states of `spans`, and how they look."""
_BINS = 100


def gantt(measured: Measured) -> Chart:
    """A row per gang: queued, waiting, bound in part, bound."""
    every = [row for row in measured.tables["gangs"].dicts() if row["created"] is not None]
    chosen = _chosen(every)
    some = "" if len(chosen) == len(every) else (
        f" {len(chosen)} of {len(every)} are drawn: those that were longest in part, then those that waited longest."
    )  # fmt: skip
    base: dict[str, Any] = {
        "id": "gantt",
        "title": "Gangs and Jobs",
        "text": "From creation to the last end: queued (without pods), waiting, bound in part (fewer than minCount "
        "pods, for more than 5 s), bound. Crosses are evictions." + some,
        "sources": ("gangs", "spans", "preemptions"),
    }
    if not chosen:
        return Chart(**base, why="there is no gang or Job")
    axis = chart.span(measured.about)
    names = [chart.clipped(row["gang"], 30) for row in chosen]
    bars = []
    spans: dict[str, list[dict[str, Any]]] = {}
    for span in measured.tables["spans"].dicts():
        if span["state"] in _STATES:
            spans.setdefault(span["gang"], []).append(span)
    seen = {span["state"] for each in spans.values() for span in each}
    shown = [look for state, look in _STATES.items() if state in seen]
    for place, row in enumerate(chosen):
        for span in spans.get(row["gang"], ()):
            state, begin, end = _STATES[span["state"]][0], span["since"], span["until"]
            bars.append(
                {"y": place + 0.1, "z": place + 0.9, "a": axis.at(begin), "b": axis.at(end), "s": state}
                | {"k": row["gang"], "q": row["queue"], "pods": row["pods"], "w": row["wait"], "o": row["outcome"]}
            )
    places = {row["gang"]: place for place, row in enumerate(chosen)}
    crosses: list[dict[str, Any]] = []
    for row in measured.tables["preemptions"].dicts():
        if row["gang"] in places:
            cross = {
                "t": axis.at(row["time"]),
                "y": places[row["gang"]] + 0.5,
                "k": row["gang"],
                "by": row["by"] or "unknown",
            }
            if cross not in crosses[-1:]:
                crosses.append(cross)
    height = max(40, _ROW * len(chosen))
    y = {"type": "quantitative", "axis": None, "scale": {"domain": [0, len(chosen)], "reverse": True, "nice": False}}
    layers: list[dict[str, Any]] = [
        {
            "data": {"name": "main", "values": bars},
            "mark": {"type": "rect", "clip": True, "stroke": "var(--soft)", "strokeWidth": 0.5},
            "encoding": {
                "x": axis.x("a"),
                "x2": {"field": "b"},
                "y": {**y, "field": "y"},
                "y2": {"field": "z"},
                "fill": {
                    "field": "s",
                    "type": "nominal",
                    "sort": None,
                    "scale": {"domain": [name for name, _ in shown], "range": [fill for _, fill in shown]},
                    "legend": {"symbolType": "square"},
                },
                "tooltip": [
                    {"field": "k", "title": "gang"},
                    {"field": "q", "title": "queue"},
                    {"field": "pods", "title": "pods"},
                    {"field": "s", "title": "state"},
                    {"field": "a", "title": f"from [{axis.unit}]", "format": ".3f"},
                    {"field": "b", "title": f"until [{axis.unit}]", "format": ".3f"},
                    {"field": "w", "title": "gang wait [s]", "format": ".3f"},
                    {"field": "o", "title": "outcome"},
                ],
            },
        },
        {
            "data": {"values": [{"k": name, "y": place + 0.5} for place, name in enumerate(names)]},
            "mark": {
                "type": "text",
                "align": "right",
                "baseline": "middle",
                "dx": -6,
                "fontSize": 10,
                "fill": "var(--soft)",
            },
            "encoding": {"x": {"value": 0}, "y": {**y, "field": "y"}, "text": {"field": "k"}},
        },
    ]
    if crosses:
        layers.append(
            {
                "data": {"values": crosses[:500]},
                "mark": {
                    "type": "point",
                    "shape": "cross",
                    "angle": 45,
                    "size": 60,
                    "filled": True,
                    "fill": theme.COLORS[5],
                }
                | {"stroke": "var(--page)", "strokeWidth": 0.8, "clip": True},
                "encoding": {
                    "x": axis.x(),
                    "y": {**y, "field": "y"},
                    "tooltip": [{"field": "k", "title": "evicted of"}, {"field": "by", "title": "for"}],
                },
            }
        )
    return Chart(
        **base,
        says=_says(every),
        spec=chart.layered([*layers, *chart.gap_layers(measured)], height=height),
        columns=("gang", "queue", "pods", "minCount", "wait [s]", "in part [s]", "turnaround [s]", "outcome"),
        rows=[
            [row[name] for name in ("gang", "queue", "pods", "min", "wait", "partial", "turnaround", "outcome")]
            for row in chosen
        ],
    )


def preemptions(measured: Measured) -> Chart:
    """Pods evicted or preempted, by the queue that lost them."""
    table = measured.tables["preemptions"]
    seconds = measured.about.seconds or 1.0
    width = max(1.0, seconds / _BINS)
    each = "each second" if width == 1 else f"each interval of {width:.1f} s"
    counts: dict[tuple[int, str], int] = {}
    queues = dict.fromkeys(row["queue"] or "unknown" for row in table.dicts())
    for row in table.dicts():
        place = (int(row["time"] / width), row["queue"] or "unknown")
        counts[place] = counts.get(place, 0) + 1
    changes = []
    for (number, queue), count in counts.items():
        changes.append((number * width, queue, count))
        if (number + 1, queue) not in counts:
            changes.append(((number + 1) * width, queue, 0))
    # Zero in front, so that a first bar has a left side.
    times, series = from_rows(sorted([*((0.0, queue, 0) for queue in queues if (0, queue) not in counts), *changes]))
    return stepped(
        measured,
        times,
        series,
        id="preemptions",
        title="Evictions and preemptions",
        text=f"Pods that had to go in {each}, by the queue that lost them.",
        unit="pods",
        stacked=True,
        sources=("preemptions",),
        height=160,
        why="no pod was evicted or preempted",
    )


def pending(measured: Measured) -> Chart:
    """Why pods are pending, over time."""
    times, series = from_rows(measured.tables["pending"].rows)
    return stepped(
        measured,
        times,
        series,
        id="pending",
        title="Why pods are pending",
        text="Pods that are created and not bound, by what the scheduler last said of them.",
        unit="pods",
        stacked=True,
        sources=("pending",),
        why="no pod was ever pending",
    )


def _chosen(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The gangs that are drawn, in the order of their creation."""

    def weight(row: dict[str, Any]) -> tuple[float, float]:
        # Who never got enough has waited longest.
        return (row["partial"] or 0.0, float("inf") if row["wait"] is None else row["wait"])

    if len(rows) > _MOST:
        half = sorted(rows, key=lambda row: -weight(row)[0])[: _MOST // 2]
        taken = {id(row) for row in half}
        rest = sorted((row for row in rows if id(row) not in taken), key=lambda row: -weight(row)[1])
        rows = [*half, *rest[: _MOST - len(half)]]
    return sorted(rows, key=lambda row: (row["created"], row["gang"]))


def _says(rows: Sequence[dict[str, Any]]) -> str:
    waits = [row["wait"] for row in rows if row["wait"] is not None]
    partial = sum(row["partial"] or 0.0 for row in rows)
    longest = f"the longest wait was {max(waits):.4g} s" if waits else "none got all its pods"
    return f"{len(rows)} gangs and Jobs; {longest}; {partial:.4g} s were spent bound in part."
