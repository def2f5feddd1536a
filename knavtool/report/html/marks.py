"""Text, tables and small drawings as HTML; everything from a recording is escaped here."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from knavtool.report.measured.numbers import cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_LONG = 48  # characters of a cell that may take several lines


def text(value: Any) -> str:
    """A value as text, also inside attributes."""
    return escape(str(value), quote=True)


def lines(value: Any) -> str:
    """Text whose lines stay lines."""
    return "<br>".join(text(line) for line in str(value).strip().splitlines())


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    caption: str = "",
    units: Sequence[str] = (),
    classes: str = "",
) -> str:
    """A table; numbers stand to the right. `units` are those of the columns."""
    head = "".join(f'<th scope="col">{text(column)}</th>' for column in columns)
    body = "".join(
        f"<tr>{''.join(_cell(value, units[place] if units else 'n') for place, value in enumerate(row))}</tr>"
        for row in rows
    )
    title = f"<caption>{text(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(caption or columns[0])}">'
        f'<table class="{classes}">{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _cell(value: Any, unit: str) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f'<td class="n">{text(cell(value, unit))}</td>'
    shown = text(cell(value, unit))
    return f'<td class="long">{shown}</td>' if len(shown) > _LONG else f"<td>{shown}</td>"


def sparkline(points: Sequence[tuple[float, float]], *, top: float | None = None, area: bool = True) -> str:
    """A line of few pixels without axes, for the eye only: it stands beside the number that it belongs to."""
    if len(points) < 2:
        return '<svg class="spark" viewBox="0 0 120 32" aria-hidden="true"></svg>'
    left, right = points[0][0], points[-1][0]
    high = top if top is not None else max(value for _, value in points)
    places = [
        (118 * (at - left) / ((right - left) or 1) + 1, 30 - 28 * min(value / (high or 1), 1)) for at, value in points
    ]
    path = f"M{places[0][0]:.1f} {places[0][1]:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in places[1:])
    under = f'<path class="under" d="{path}V31H1Z"/>' if area else ""
    return (
        '<svg class="spark" viewBox="0 0 120 32" preserveAspectRatio="none" aria-hidden="true">'
        f'{under}<path class="over" d="{path}"/></svg>'
    )
