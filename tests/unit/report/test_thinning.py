"""Plots show fewer points than there are, and every peak."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from knavtool.report.html.thinning import kept, largest, quantile, settled, wide

_VALUES = st.one_of(st.none(), st.integers(-50, 50), st.floats(-1e6, 1e6))
_SERIES = st.integers(1, 4).flatmap(
    lambda count: st.lists(st.tuples(st.floats(0, 1e5), *[_VALUES for _ in range(count)]), min_size=1, max_size=400)
)


@given(_SERIES, st.integers(10, 100))
def test_the_extremes_of_every_series_stay(rows: list[tuple[float, ...]], most: int) -> None:
    times, *columns = zip(*sorted(rows, key=lambda row: row[0]), strict=True)
    shown = kept(times, columns, most)
    assert shown == sorted(set(shown))
    assert {0, len(times) - 1} <= set(shown)
    for column in columns:
        known = [value for value in column if value is not None]
        left = [column[index] for index in shown if column[index] is not None]
        assert (min(left), max(left)) == (min(known), max(known)) if known else not left


@given(_SERIES, st.integers(10, 60))
def test_the_extremes_of_every_interval_stay(rows: list[tuple[float, ...]], most: int) -> None:
    times, *columns = zip(*sorted(rows, key=lambda row: row[0]), strict=True)
    shown = set(kept(times, columns, most))
    bins = max(most // (2 * len(columns)), 8)
    width = (times[-1] - times[0]) / bins
    for column in columns:
        for number in range(bins):
            low = times[0] + number * width
            high = times[0] + (number + 1) * width if number + 1 < bins else float("inf")  # the last one has its end
            inside = [index for index, time in enumerate(times) if low <= time < high and column[index] is not None]
            if inside and len(shown) < len(times):
                values = [column[index] for index in inside]
                left = [column[index] for index in inside if index in shown]
                assert (min(left), max(left)) == (min(values), max(values))


def test_a_long_series_gets_short() -> None:
    times = [number / 1000 for number in range(100_000)]
    values = [0.0] * len(times)
    values[54_321] = 7.0
    shown = kept(times, [values], 600)
    assert len(shown) <= 602
    assert 54_321 in shown


def test_a_short_series_stays_as_it_is() -> None:
    assert kept([1.0, 2.0, 3.0], [[1, 2, 3]], 600) == [0, 1, 2]


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abc"), st.integers(0, 9)), max_size=60))
def test_series_keep_their_value_until_it_changes(rows: list[tuple[int, str, int]]) -> None:
    rows.sort(key=lambda row: row[0])
    times, series = wide([(float(time), name, value) for time, name, value in rows])
    assert times == sorted({float(time) for time, _, _ in rows})
    for name, values in series.items():
        for time, value in zip(times, values, strict=True):
            before = [one for at, other, one in rows if other == name and at <= time]
            assert value == (before[-1] if before else 0)


@given(
    st.dictionaries(st.text(min_size=1), st.lists(st.integers(0, 9), min_size=5, max_size=5), max_size=20),
    st.integers(2, 8),
)
def test_what_is_left_is_added_up(series: dict[str, list[float | None]], most: int) -> None:
    found = largest(series, most)
    assert len(found) == min(len(series), most)
    for place in range(5):
        assert sum(values[place] or 0 for values in found.values()) == sum(
            values[place] or 0 for values in series.values()
        )


def test_of_several_values_at_one_moment_the_last_one_holds() -> None:
    assert settled([0.0, 1.0, 1.0, 2.0], {"a": [1, 2, 3, 4]}) == ([0.0, 1.0, 2.0], {"a": [1, 3, 4]})


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50).map(sorted), st.floats(0, 1))
def test_quantiles_lie_between_the_ends(values: list[float], part: float) -> None:
    assert values[0] <= quantile(values, part) <= values[-1]
    assert (quantile(values, 0), quantile(values, 1)) == (values[0], values[-1])
