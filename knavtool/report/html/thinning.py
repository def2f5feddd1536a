"""Long series made short enough for a plot without losing a peak or a trough."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence


def kept(times: Sequence[float], series: Iterable[Sequence[float | None]], most: int) -> list[int]:
    """Which of the ascending `times` to show so that at most about `most` are left.

    Time is cut into equal bins; of each bin, the lowest and highest value of every series stay, and so do the first and
    the last moment. With many series the bins get wider, so no extreme is lost. O(times x series).
    """
    columns = list(series)
    count = len(times)
    if count <= most or not columns:
        return list(range(count))
    bins = max(most // (2 * len(columns)), 8)
    width = (times[-1] - times[0]) / bins
    chosen = {0, count - 1}
    start = 0
    for number in range(1, bins + 1):
        end = bisect.bisect_left(times, times[0] + number * width, start) if number < bins else count
        if end > start:
            for values in columns:
                part = values[start:end]
                known = [value for value in part if value is not None]
                if known:
                    chosen.add(start + part.index(min(known)))
                    chosen.add(start + part.index(max(known)))
        start = end
    return sorted(chosen)


def settled(
    times: Sequence[float], series: Mapping[str, Sequence[float | None]]
) -> tuple[list[float], dict[str, list[float | None]]]:
    """The same without what lasted no time: of several values at one moment, the last one holds."""
    if len(set(times)) == len(times):
        return list(times), {name: list(values) for name, values in series.items()}
    last = [index for index, time in enumerate(times) if index + 1 == len(times) or times[index + 1] != time]
    return [times[index] for index in last], {
        name: [values[index] for index in last] for name, values in series.items()
    }


def wide(
    rows: Iterable[tuple[float, Hashable, float | None]],
) -> tuple[list[float], dict[Hashable, list[float | None]]]:
    """Changes of several step series, as (time, series, value), on one axis of ascending times.

    A series keeps its value until it changes; before its first change it is 0. Of several changes at one moment, the
    last one holds.
    """
    changes: dict[float, dict[Hashable, float | None]] = {}
    names: dict[Hashable, None] = {}
    for time, name, value in rows:
        changes.setdefault(time, {})[name] = value
        names[name] = None
    times = sorted(changes)
    series: dict[Hashable, list[float | None]] = {}
    for name in names:
        last: float | None = 0
        values = []
        for time in times:
            last = changes[time].get(name, last)
            values.append(last)
        series[name] = values
    return times, series


def largest(
    series: Mapping[Hashable, Sequence[float | None]], most: int, rest: str = "others"
) -> dict[Hashable, list[float | None]]:
    """The series with the highest values, in their order; what is left is added up as one more, called `rest`."""
    if len(series) <= most:
        return {name: list(values) for name, values in series.items()}
    weight = {name: sum(value or 0 for value in values) for name, values in series.items()}
    first = set(sorted(series, key=lambda name: -weight[name])[: most - 1])
    found: dict[Hashable, list[float | None]] = {name: list(series[name]) for name in series if name in first}
    others = [series[name] for name in series if name not in first]
    while rest in found:
        rest += " "
    found[rest] = [sum(value or 0 for value in row) for row in zip(*others, strict=True)]
    return found


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value below which this part of the ordered values lies, between neighbours in proportion."""
    position = part * (len(ordered) - 1)
    index = int(position)
    if index + 1 >= len(ordered):
        return ordered[-1]
    return ordered[index] + (position - index) * (ordered[index + 1] - ordered[index])
