"""The comparison of two runs as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.measure.cautions import ONE_AGAINST_ONE, cautions
from knavtool.report.compared.cells import cells, counted, headline, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from knavtool.measure.comparing import Change, Comparison

_HEADER = ("MEASURE", "A", "B", "CHANGE", "", "N", "RESULT")
_RIGHT = range(1, 6)
_GAP = "   "


def lines(comparison: Comparison, changes: Sequence[Change]) -> Iterator[str]:
    """Which runs, what must be known of them, the table of `changes`, and how many measures moved in all."""
    yield f"A  {headline(comparison.before)}"
    yield f"B  {headline(comparison.after)}"
    for caution in cautions(comparison):
        yield f"warning: {caution}"
    yield ONE_AGAINST_ONE
    yield ""
    if changes:
        yield from _table(changes)
        yield ""
    yield counted(comparison)
    for distance in comparison.distances:
        yield told(distance)


def _table(changes: Sequence[Change]) -> Iterator[str]:
    rows = [_HEADER]
    for one in map(cells, changes):
        word = f"{one.word}: {one.why}" if one.why else one.word
        rows.append((one.measure, one.before, one.after, one.difference, one.relative, one.n, word))
    columns = [
        _aligned(column) if place in _RIGHT else list(column) for place, column in enumerate(zip(*rows, strict=True))
    ]
    widths = [max(map(len, column)) for column in columns]
    for row in zip(*columns, strict=True):
        padded = [
            text.rjust(width) if place in _RIGHT else text.ljust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield _GAP.join(padded).rstrip()


def _aligned(column: Sequence[str]) -> list[str]:
    """Numbers whose units begin in one column."""
    units = [text.partition(" ")[2] if text[:1].isdigit() or text[:1] in "+-" else "" for text in column[1:]]
    width = max(map(len, units), default=0)
    numbers = [text.removesuffix(f" {unit}") if unit else text for text, unit in zip(column[1:], units, strict=True)]
    return [
        column[0],
        *(f"{number} {unit.ljust(width)}" if width else number for number, unit in zip(numbers, units, strict=True)),
    ]
