"""Percentiles, and measures made from columns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from knavtool.measure.names import DISTRIBUTIONS, STATISTICS
from knavtool.measure.table import Measure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.measure.table import Table


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the sorted values do not exceed (nearest rank); one must be there."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def statistic(ordered: Sequence[float], name: str) -> float:
    """One of `STATISTICS` of sorted values."""
    if name == "mean":
        return math.fsum(ordered) / len(ordered)
    if name == "min":
        return ordered[0]
    if name == "max":
        return ordered[-1]
    return percentile(ordered, int(name[1:]) / 100)


def distributions(tables: Mapping[str, Table]) -> Iterator[Measure]:
    """All measures that are statistics of a column."""
    for name, quantity in DISTRIBUTIONS.items():
        values = sorted(value for value in tables[quantity.table].column(quantity.column) if value is not None)
        for one in STATISTICS:
            if values:
                yield Measure(name=f"{name}.{one}", value=statistic(values, one), unit=quantity.unit, n=len(values))
            else:
                why = f"of none of {len(tables[quantity.table].rows)} {quantity.table} it is known"
                why = why if tables[quantity.table].rows else f"there were no {quantity.table}"
                yield Measure(name=f"{name}.{one}", value=None, unit=quantity.unit, n=0, why=why)


def ks_distance(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """The largest difference between the shares of two sorted samples that do not exceed a value, and that value.

    Of several such values, the lowest. Both must have samples. O(n).
    """
    largest, at = 0.0, min(first[0], second[0])
    one = other = 0
    while one < len(first) and other < len(second):
        value = min(first[one], second[other])
        while one < len(first) and first[one] <= value:
            one += 1
        while other < len(second) and second[other] <= value:
            other += 1
        apart = abs(one / len(first) - other / len(second))
        if apart > largest:
            largest, at = apart, value
    return largest, at
