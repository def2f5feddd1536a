"""The judge: what it tells apart, what it does not, and how often it is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from knavtool.bench.judge import MOST, Word, beyond, compare, decide, holm, needed, summary

# Makespans in seconds of the gang scheduling benchmark on Kueue v0.19 and two processors: two benches of one day.
REAL = [39.0, 39.48, 38.79, 36.99, 36.7, 39.13, 35.97, 37.61]


def drawn(seed: int, count: int, factor: float = 1.0) -> list[float]:
    """So many samples as the real ones are, times a factor."""
    generator = np.random.default_rng(seed)
    return list(generator.choice(REAL, count) * generator.normal(1, 0.005, count) * factor)


def word(ours: list[float], baseline: list[float], *, higher: bool | None = False, margin: float = 0.05) -> Word:
    return decide({"it": compare(ours, baseline, margin=margin)}, {"it": higher})["it"].word


@pytest.mark.parametrize("count", [3, 5, 10])
def test_a_contender_beside_itself_is_hardly_ever_another(count: int) -> None:
    words = [word(drawn(seed, count), drawn(seed + 1000, count)) for seed in range(100)]
    assert sum(one in (Word.SAME, Word.UNKNOWN) for one in words) >= 95


@pytest.mark.parametrize("count", [3, 5])
def test_many_contenders_beside_themselves_too(count: int) -> None:
    wrong = 0
    for seed in range(100):
        baseline = drawn(seed * 10 + 9, count)
        raw = {number: compare(drawn(seed * 10 + number, count), baseline, margin=0.001) for number in range(4)}
        found = decide(raw, dict.fromkeys(raw, False))
        wrong += any(one.word in (Word.BETTER, Word.WORSE) for one in found.values())
    assert wrong <= 5


@pytest.mark.parametrize("factor", [1.1, 1.2, 1.5])
def test_a_slower_one_is_found(factor: float) -> None:
    words = [word(drawn(seed, 5, factor), drawn(seed + 1000, 5)) for seed in range(50)]
    assert words.count(Word.WORSE) >= 40
    assert Word.BETTER not in words
    assert word(drawn(1, 5, factor), drawn(2, 5), higher=True) is Word.BETTER
    assert word(drawn(1, 5, factor), drawn(2, 5), higher=None) is Word.MOVED


def test_enough_repetitions_say_the_same() -> None:
    assert word(drawn(1, 10), drawn(2, 10)) is Word.SAME
    assert word(drawn(1, 10), drawn(2, 10), margin=0.001) is Word.UNKNOWN


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_say_nothing(count: int) -> None:
    found = compare(drawn(1, count, 2), drawn(2, 5), margin=0.05)
    assert decide({"it": found}, {"it": False})["it"].word is Word.UNKNOWN
    assert (found.needed is None) == (count == 1)
    assert found.change == pytest.approx(1, rel=0.1)
    assert (found.low is None) == (count == 1)


def test_how_many_would_tell() -> None:
    assert needed(REAL, REAL, 0.5) == 3
    few, many = needed(REAL, REAL, 0.05), needed(REAL, REAL, 0.01)
    assert few is not None
    assert many is not None
    assert few <= 10 < many
    assert needed([1, 0], [1, 2], 0.1) is None
    assert needed([1, 1], [1, 1], 0.1) == 3
    # More comparisons at a time need more of each, and what differs more needs fewer.
    assert few < (needed(REAL, REAL, 0.05, comparisons=20) or 0) < 2 * few
    small, large = (compare(drawn(1, 3, factor), REAL, margin=0.05).needed for factor in (1.02, 1.5))
    assert (small or 0) > (large or 0) == 3
    assert needed([1, 100], [2, 80], 0.01) == MOST


def test_so_many_do_tell() -> None:
    count = needed(REAL, REAL, 0.05)
    assert count is not None
    words = [word(drawn(seed, count, 1.05), drawn(seed + 1000, count), margin=0.01) for seed in range(100)]
    assert words.count(Word.WORSE) >= 70


def test_zeros() -> None:
    nothing, something = [0.0] * 5, [1.0, 2.0, 3.0, 2.0, 1.0]
    same = compare(nothing, nothing, margin=0.05)
    assert (same.within, same.change, same.effect, same.p) == (True, None, 0.5, 1)
    assert word(nothing, nothing) is Word.SAME
    assert word(something, nothing) is Word.WORSE
    assert word(nothing, something) is Word.BETTER


def test_numbers_that_never_vary() -> None:
    assert word([100.0] * 3, [100.0] * 3) is Word.SAME
    assert word([100.0] * 3, [110.0] * 3) is Word.BETTER
    assert word([100.0] * 3, [100.05] * 3, margin=0.0001) is Word.UNKNOWN  # a clock may do that


def test_more_than_a_share_above() -> None:
    above, below = beyond(drawn(1, 5, 1.3), drawn(2, 5), 0.1)
    assert above < 0.05 < below
    above, below = beyond(drawn(1, 5), drawn(2, 5), 0.1)
    assert below < 0.05 < above
    above, below = beyond(drawn(1, 5, 1.1), drawn(2, 5), 0.1)
    assert min(above, below) > 0.05
    assert beyond([0.0] * 5, [0.0] * 5, 0.1) == (1, 0)
    assert beyond([1.0] * 5, [0.0] * 5, 0.1)[0] < 0.05


def test_a_summary() -> None:
    found = summary(REAL)
    assert found.n == 8
    assert found.mean_interval is not None
    assert found.median_interval is not None
    assert found.mean_interval[0] < found.mean < found.mean_interval[1]
    assert found.median_interval[0] < found.median < found.median_interval[1]
    assert found.median == pytest.approx(38.2)
    assert summary([1.0, 2.0]).mean_interval is None
    assert summary([2.0, 2.0, 2.0]).median_interval == (2, 2)


def test_corrections_after_holm() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == {"a": 0.03, "b": 0.06, "c": 0.06}
    assert holm({}) == {}
