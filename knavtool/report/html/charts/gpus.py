"""GPUs over time: who has them, what is left, and where."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from knavtool.report.html.charts import chart
from knavtool.report.html.charts.chart import Chart
from knavtool.report.html.charts.stepped import from_rows, stepped
from knavtool.report.html.thinning import wide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knavtool.measure.table import Measured

_NO_GPUS = "no node with GPUs was seen"
_ROW = 12  # pixels
_SPACE = 0.6  # of a row, between racks


def occupancy(measured: Measured) -> Chart:
    """GPUs allocated, stacked by queue, under the line of what there is."""
    return _allocated(
        measured,
        "occupancy",
        title="GPUs allocated by queue",
        text="The dashed line is what the nodes offer. White below it while pods are pending is what was left unused.",
        height=280,
    )


def pools(measured: Measured) -> Chart:
    """GPUs allocated, stacked by node pool."""
    return _allocated(
        measured, "pools", title="GPUs allocated by node pool", text="The same GPUs by the pool of their node."
    )


def _allocated(measured: Measured, table: str, *, title: str, text: str, height: int = chart.HEIGHT) -> Chart:
    """The GPUs of a table over time, which gives the chart its name, under the line of what there is."""
    times, series = from_rows(measured.tables[table].rows)
    return stepped(
        measured,
        times,
        series,
        id=table,
        title=title,
        text=text,
        unit="GPUs",
        stacked=True,
        sources=(table, "capacity"),
        line=capacity(measured),
        why=_NO_GPUS,
        height=height,
    )


def capacity(measured: Measured) -> tuple[Sequence[float], Sequence[float], str] | None:
    """Allocatable GPUs of all pools as a step line with its label."""
    times, found = wide(measured.tables["capacity"].rows)
    totals = [float(sum(value or 0 for value in row)) for row in zip(*found.values(), strict=True)]
    return (times, totals, f"{totals[-1]:g} allocatable") if totals else None


def blocks(measured: Measured) -> Chart:
    """Nodes by how many of their GPUs are free."""
    table = measured.tables["blocks"]
    titles = {"none": "no free GPU", "few": "1 to 3 free", "half": "4 to 7 free", "whole": "8 or more free"}
    return stepped(
        measured,
        table.column("time"),
        {title: table.column(name) for name, title in titles.items()},
        id="blocks",
        title="Nodes by the size of their free block",
        text="Pods that need a whole node find one only in the topmost area. Wide middle areas are fragmentation.",
        unit="nodes",
        stacked=True,
        sources=("blocks",),
        why=_NO_GPUS,
    )


def stranded(measured: Measured) -> Chart:
    """Free GPUs that nobody can use."""
    table = measured.tables["blocks"]
    return stepped(
        measured,
        table.column("time"),
        {
            "free": table.column("free"),
            "stranded": table.column("stranded"),
            "fragmented (FGD)": table.column("fragmentation"),
        },
        id="stranded",
        title="Free, stranded and fragmented GPUs",
        text="Stranded: free on nodes where no pending pod fits. "
        "Fragmented: free, but of no use to the mix of pods of this run.",
        unit="GPUs",
        sources=("blocks",),
        why=_NO_GPUS,
    )


def heat(measured: Measured) -> Chart:
    """Nodes in rows of racks, as dark as their GPUs are allocated."""
    rows = [row for row in measured.tables["heat"].dicts() if row["used"] is not None]
    sizes = {row["nodes"] for row in rows}
    each = "one node" if sizes <= {1} else f"up to {max(sizes)} nodes"
    base: dict[str, Any] = {
        "id": "heat",
        "title": "Nodes over time",
        "text": f"Each row is {each}, rows of a rack stand together. The fuller the colour, the more of the GPUs are "
        "allocated: the highest share in each interval.",
        "sources": ("heat",),
    }
    if not rows:
        return Chart(**base, why=_NO_GPUS)
    axis = chart.span(measured.about)
    places: dict[str, float] = {}
    racks: list[dict[str, Any]] = []
    at = 0.0
    names = sorted({(row["rack"] or "", row["row"]) for row in rows})
    for rack, members in groupby(names, key=lambda one: one[0]):
        first = at
        for _, name in members:
            places[name] = at
            at += 1
        racks.append({"k": chart.clipped(rack or "nodes", 18), "y": (first + at) / 2})
        at += _SPACE
    at -= _SPACE
    cells = [
        {
            "a": axis.at(row["time"]),
            "b": axis.at(row["until"]),
            "y": places[row["row"]] + 0.06,
            "z": places[row["row"]] + 0.94,
            "v": round(row["used"], 4),
            "k": row["row"],
        }
        for row in _merged(rows)
    ]
    height = max(60, min(int(at * _ROW), 620))
    y = {"type": "quantitative", "axis": None, "scale": {"domain": [0, at], "reverse": True, "nice": False}}
    labels = racks if len(racks) <= height // 13 else racks[:: -(-len(racks) // (height // 13))]
    layers: list[dict[str, Any]] = [
        {
            "data": {"name": "main", "values": cells},
            "mark": {"type": "rect", "fill": "var(--s1)", "clip": True},
            "encoding": {
                "x": axis.x("a"),
                "x2": {"field": "b"},
                "y": {**y, "field": "y"},
                "y2": {"field": "z"},
                "opacity": {
                    "field": "v",
                    "type": "quantitative",
                    "scale": {"domain": [0, 1], "range": [0.07, 1]},
                    "legend": {
                        "values": [0, 0.25, 0.5, 0.75, 1],
                        "format": ".0%",
                        "symbolType": "square",
                        "symbolFillColor": "var(--s1)",
                        "symbolStrokeWidth": 0,
                    },
                },
                "tooltip": [
                    {"field": "k", "title": "row"},
                    {"field": "a", "title": f"from [{axis.unit}]", "format": ".2f"},
                    {"field": "b", "title": f"until [{axis.unit}]", "format": ".2f"},
                    {"field": "v", "title": "allocated", "format": ".0%"},
                ],
            },
        },
        {
            "data": {"values": labels},
            "mark": {"type": "text", "align": "right", "baseline": "middle", "dx": -6, "fill": "var(--soft)"},
            "encoding": {"x": {"value": 0}, "y": {**y, "field": "y"}, "text": {"field": "k"}},
        },
    ]
    return Chart(
        **base,
        says=_says(rows, len(places), len(racks)),
        spec=chart.layered([*layers, *chart.gap_layers(measured)], height=height),
        columns=("row", "rack", "mean of its intervals", "highest"),
        rows=_means(rows, names),
    )


def _merged(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Neighbours in time with the same value are one cell: half the file, the same picture."""
    found: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda one: (one["row"], one["time"])):
        last = found[-1] if found else None
        if (
            last is not None
            and last["row"] == row["row"]
            and last["until"] == row["time"]
            and round(last["used"], 2) == round(row["used"], 2)
        ):
            last["until"] = row["until"]
        else:
            found.append(dict(row))
    return found


def _says(rows: Sequence[dict[str, Any]], lines: int, racks: int) -> str:
    full = sum(row["used"] >= 1 for row in rows) / len(rows)
    return f"{lines} rows in {racks} racks; all GPUs were allocated in {full:.0%} of all intervals."


def _means(rows: Sequence[dict[str, Any]], names: Sequence[tuple[str, str]]) -> list[list[Any]]:
    by_row: dict[str, list[float]] = {}
    for row in rows:
        by_row.setdefault(row["row"], []).append(row["used"])
    return [
        [name, rack, f"{sum(by_row[name]) / len(by_row[name]):.0%}", f"{max(by_row[name]):.0%}"] for rack, name in names
    ]
