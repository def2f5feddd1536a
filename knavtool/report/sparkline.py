"""The pulse of a run as lines of a terminal: a sparkline of the last samples, and the number that is true now."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from knavtool.recording.pulse import Beat

BLOCKS = "▁▂▃▄▅▆▇█"
_NAME = 13
_NUMBER = 6
_LEAST = 8  # columns; a shorter line shows nothing


def sparkline(values: Sequence[float | None], top: float) -> str:
    """One block per value up to `top`: the lowest for nothing at all, a blank for what is not known."""
    return "".join(" " if value is None else BLOCKS[_level(value, top)] for value in values)


def _level(value: float, top: float) -> int:
    if value <= 0 or top <= 0:
        return 0
    return min(math.ceil(value / top * (len(BLOCKS) - 1)), len(BLOCKS) - 1)


def pulse_lines(beats: Sequence[Beat], width: int, *, unicode: bool = True) -> Iterator[Text]:
    """GPU occupancy, pending pods and bindings per second; without occupancy where no GPU is known.

    Nothing comes if it would not fit into `width` columns, and numbers alone if there is no room for plots or the
    terminal cannot show them.
    """
    if not beats:
        return
    now = beats[-1]
    room = width - _NAME - _NUMBER - 3
    if room < 0:
        return
    shown = list(beats)[-room:] if unicode and room >= _LEAST else []
    if now.occupancy is not None:
        known = f"of {now.allocatable:,.0f}"
        yield _line("GPU occupancy", [beat.occupancy for beat in shown], 1.0, f"{now.occupancy:.0%}", known, width)
    pending, rates = [beat.pending for beat in shown], [beat.rate for beat in shown]
    yield _line("pending pods", pending, max(pending, default=0), f"{now.pending:,}", "", width)
    most = max(rates, default=0.0)
    yield _line("bindings/s", rates, most, _rate(now.rate), f"max {_rate(most)}" if most else "", width)


def _line(name: str, values: Sequence[float | None], top: float, number: str, more: str, width: int) -> Text:
    line = Text(f"{name:<{_NAME}} ", style="dim", no_wrap=True)
    line.append(f"{number:>{_NUMBER}}", style="bold not dim")
    if values:
        line.append("  " + sparkline(values, top), style="cyan not dim")
    if more and line.cell_len + 2 + len(more) <= width:
        line.append(f"  {more}")
    line.truncate(width, overflow="crop")
    return line


def _rate(rate: float) -> str:
    return f"{rate:.1f}" if 0 < rate < 10 else f"{rate:,.0f}"
