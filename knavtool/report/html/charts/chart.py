"""What every chart is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from knavtool.report.html import theme

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knavtool.measure.table import About, Measured

WIDTH = 720
HEIGHT = 220
MOST = 600
"""Of a series with more moments, about so many are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One plot. `spec` is a Vega-Lite specification, None if there is nothing to show, and `why` says why.

    `text` says how to read it, `says` what it shows this time, for those who do not see it. `sources` are the tables
    behind it. `readout` lets the page tell the values under the pointer: the unit, and whether they add up.
    """

    id: str
    title: str
    text: str
    says: str = ""
    spec: Mapping[str, Any] | None = None
    why: str = ""
    sources: Sequence[str] = ()
    readout: Mapping[str, Any] | None = None
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = field(default_factory=tuple)
    """What is drawn, as a table."""


@dataclass(frozen=True, slots=True)
class Span:
    """The axis of time of a run: its end, and the unit that suits it."""

    seconds: float

    @property
    def unit(self) -> str:
        """`s`, `min` or `h`."""
        return "s" if self.seconds < 600 else "min" if self.seconds < 36_000 else "h"

    @property
    def each(self) -> float:
        """Seconds in a unit."""
        return {"s": 1.0, "min": 60.0, "h": 3600.0}[self.unit]

    def at(self, seconds: float) -> float:
        """A moment on the axis."""
        return round(seconds / self.each, 9)

    @property
    def end(self) -> float:
        """Where the axis ends."""
        return self.at(self.seconds) or 1.0

    def x(self, name: str = "t") -> dict[str, Any]:
        """The encoding of moments."""
        return {
            "field": name,
            "type": "quantitative",
            "scale": {"domain": [0, self.end], "nice": False},
            "axis": {"title": f"time [{self.unit}]"},
        }


def span(about: About) -> Span:
    """The axis of time of a recording."""
    return Span(about.seconds)


def layered(layers: Sequence[Mapping[str, Any]], *, height: int = HEIGHT) -> dict[str, Any]:
    """A specification of these layers from the back to the front; the data called `main` are those of the readout."""
    main: list[Any] = []
    for layer in layers:
        if layer.get("data", {}).get("name") == "main" and "values" in layer["data"]:
            main = layer["data"]["values"]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": WIDTH,
        "height": height,
        "config": theme.CONFIG,
        "datasets": {"main": main},
        "layer": [
            {**layer, "data": {"name": "main"}} if layer.get("data", {}).get("name") == "main" else layer
            for layer in layers
        ],
    }


def gap_layers(measured: Measured) -> list[dict[str, Any]]:
    """Bands where the recording saw nothing."""
    time = span(measured.about)
    bands = [
        {
            "a": time.at(row["began"] or 0.0),
            "b": time.at(measured.about.seconds if row["ended"] is None else row["ended"]),
        }
        for row in measured.tables["gaps"].dicts()
    ]
    if not bands:
        return []
    x = {"x": time.x("a"), "x2": {"field": "b"}}
    band = {"type": "rect", "fill": theme.GAP, "stroke": "var(--line)", "clip": True}
    label = {
        "type": "text",
        "align": "left",
        "baseline": "bottom",
        "dx": 0,
        "dy": -4,
        "fontSize": 11,
        "fill": "var(--soft)",
    }
    return [
        {"data": {"values": bands}, "mark": band, "encoding": x},
        {
            "data": {"values": bands[:3]},
            "mark": label | {"text": "not seen"},
            "encoding": {"x": time.x("a"), "y": {"value": 0}},
        },
    ]


def rule_layers(value: float, label: str, y: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A dashed line at a value, with its label at the right end."""
    data = {"values": [{"v": value}]}
    place = {**y, "field": "v"}
    return [
        {
            "data": data,
            "mark": {"type": "rule", "strokeDash": [5, 4], "stroke": "var(--ink)"},
            "encoding": {"y": place},
        },
        {
            "data": data,
            "mark": {"type": "text", "align": "right", "baseline": "bottom", "dy": -3, "text": label, "fontSize": 12},
            "encoding": {"y": place, "x": {"value": "width"}},
        },
    ]


def color_of(names: Sequence[str], *, fills: bool = False, legend: Any = True) -> dict[str, Any]:
    """The encoding of series by hue, and for `fills` by pattern."""
    found: dict[str, Any] = {
        "field": "k",
        "type": "nominal",
        "scale": {"domain": list(names), "range": list((theme.FILLS if fills else theme.COLORS)[: len(names)])},
        "sort": None,
    }
    if not legend:
        found["legend"] = None
    else:
        found["legend"] = {"symbolType": "square" if fills else "stroke", "columns": columns_for(names)}
    return found


def dash_of(names: Sequence[str]) -> dict[str, Any]:
    """The encoding of series by dashes; it shares the legend of the hues."""
    return {
        "field": "k",
        "type": "nominal",
        "scale": {"domain": list(names), "range": [list(dash) for dash in theme.DASHES[: len(names)]]},
        "sort": None,
        "legend": {"symbolType": "stroke", "columns": columns_for(names)},
    }


def columns_for(names: Sequence[str]) -> int:
    """How many names of a legend fit beside each other."""
    longest = max((len(name) for name in names), default=1)
    return max(1, min(len(names), 100 // (min(longest, 44) + 6)))


def clipped(name: Any, most: int = 44) -> str:
    """A name that fits into a legend."""
    text = str(name)
    return text if len(text) <= most else f"{text[: most - 1]}…"
