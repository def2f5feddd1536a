"""Colours, patterns and type of the page and its charts.

Charts name colours by CSS variables and patterns by their id in the page, so one drawing serves light, dark and paper.
The hues are those of Okabe and Ito, which colour-blind eyes tell apart; no series is told by its hue alone: areas have
patterns, lines have dashes, and both have labels.
"""

from __future__ import annotations

import re
from typing import Any

SERIES = 8
"""So many series can be told apart; more are added up as others."""

_LIGHT = {
    "ink": "#1c2024",
    "soft": "#5b6570",
    "line": "#d9dde2",
    "grid": "#e9ecef",
    "page": "#ffffff",
    "accent": "#0072b2",
    "bad": "#b3261e",
    "s1": "#0072b2",
    "s2": "#e69f00",
    "s3": "#009e73",
    "s4": "#cc79a7",
    "s5": "#56b4e9",
    "s6": "#d55e00",
    "s7": "#b9a800",
    "s8": "#8a9299",
}
_DARK = {
    "ink": "#e8eaed",
    "soft": "#9aa4af",
    "line": "#3a4149",
    "grid": "#272d34",
    "page": "#14171a",
    "accent": "#5aa9e6",
    "bad": "#ff8a80",
    "s1": "#3f9bdc",
    "s2": "#e69f00",
    "s3": "#1db98d",
    "s4": "#d992b9",
    "s5": "#8fd0f5",
    "s6": "#f07a2b",
    "s7": "#f0e442",
    "s8": "#8a939c",
}

DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [12, 3], [4, 2, 1, 2, 1, 2], [1, 3], [3, 3])
COLORS = tuple(f"var(--s{number + 1})" for number in range(SERIES))
FILLS = tuple(f"url(#fill{number + 1})" for number in range(SERIES))
GAP = "url(#gap)"
QUEUED = "url(#queued)"
WAITING = "url(#waiting)"
PARTIAL = "url(#partial)"

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"

# What lies over the solid hue of a fill, in a square of 8; the first has nothing.
_OVER = (
    "",
    '<path d="M-2 2L2-2M0 8L8 0M6 10L10 6"/>',
    '<circle cx="2" cy="2" r="1"/><circle cx="6" cy="6" r="1"/>',
    '<path d="M0 4H8"/>',
    '<path d="M-2 6L2 10M0 0L8 8M6-2L10 2"/>',
    '<path d="M4 0V8"/>',
    '<path d="M0 0L8 8M8 0L0 8"/>',
    '<circle cx="4" cy="4" r="1.6" fill="none"/>',
)


def css_variables() -> str:
    """The variables for light, dark and paper."""
    light = "".join(f"--{name}:{color};" for name, color in _LIGHT.items())
    dark = "".join(f"--{name}:{color};" for name, color in _DARK.items())
    return (
        f":root{{color-scheme:light dark;{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
        f"@media print{{:root{{color-scheme:light;{light}}}}}\n"
    )


def patterns() -> str:
    """The definitions that fills refer to; they have to be in the same document."""
    fills = "".join(
        _pattern(f"fill{number}", f"var(--s{number})", over, "var(--page)", 0.55)
        for number, over in enumerate(_OVER, start=1)
    )
    return (
        f"<defs>{fills}"
        + _pattern("gap", "none", _OVER[4], "var(--soft)", 0.5)
        + _pattern("queued", "none", _OVER[2], "var(--soft)", 0.6)
        + _pattern("waiting", "none", _OVER[1], "var(--soft)", 0.75)
        + _pattern("partial", "var(--s2)", _OVER[6], "var(--page)", 0.6)
        + "</defs>"
    )


def _pattern(name: str, color: str, over: str, ink: str, opacity: float) -> str:
    ground = "" if color == "none" else f'<rect width="8" height="8" fill="{color}"/>'
    lines = f'<g stroke="{ink}" fill="{ink}" stroke-width="1.1" opacity="{opacity}">{over}</g>' if over else ""
    return f'<pattern id="{name}" width="8" height="8" patternUnits="userSpaceOnUse">{ground}{lines}</pattern>'


def light(svg: str) -> str:
    """A drawing that stands alone: the colours of light pages instead of variables, and its own patterns."""
    whole = re.sub(r"(<svg[^>]*>)", lambda found: found[0] + patterns(), svg, count=1)
    return re.sub(r"var\(--(\w+)\)", lambda found: _LIGHT[found[1]], whole)


CONFIG: dict[str, Any] = {
    "background": None,
    "font": FONT,
    "padding": {"left": 4, "right": 12, "top": 6, "bottom": 4},
    "view": {"stroke": None},
    "aria": False,
    "axis": {
        "labelColor": "var(--soft)",
        "titleColor": "var(--soft)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelFont": FONT,
        "titleFont": FONT,
        "gridColor": "var(--grid)",
        "tickColor": "var(--line)",
        "domainColor": "var(--line)",
        "labelPadding": 6,
    },
    "axisX": {"grid": False, "tickSize": 4, "titlePadding": 8, "titleAnchor": "end", "tickCount": 8},
    "axisY": {
        "domain": False,
        "ticks": False,
        "tickCount": 4,
        "titleAngle": 0,
        "titleAlign": "left",
        "titleBaseline": "bottom",
        "titleAnchor": "end",
        "titleX": 0,
        "titleY": -8,
    },
    "legend": {
        "orient": "top",
        "direction": "horizontal",
        "title": None,
        "labelColor": "var(--ink)",
        "labelFontSize": 12,
        "labelFont": FONT,
        "labelLimit": 280,
        "symbolSize": 140,
        "symbolStrokeWidth": 2,
        "columnPadding": 18,
        "offset": 26,
    },
    "text": {"font": FONT, "fontSize": 12, "fill": "var(--ink)"},
    "rule": {"stroke": "var(--soft)"},
}
