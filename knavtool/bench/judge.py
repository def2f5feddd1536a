"""What the samples of two contenders say about each other: better, worse, the same, or that nobody can tell.

A sample is one measure of one repetition. Samples are compared by the mean of their logarithms, so that a change is a
ratio and one slow repetition does not weigh more than a fast one; where a sample is not positive, by their mean. Tests
are Welch's, which does not assume that both vary alike; docs/bench.md has the formulas and what they assume.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from typing import TypeVar

    Samples = np.ndarray[Any, np.dtype[np.float64]]
    Key = TypeVar("Key", bound=Hashable)

CONFIDENCE = 0.95
POWER = 0.8
FEWEST = 3
"""Repetitions of each: of two nobody knows how much they vary."""
RESOLUTION = 0.001
"""Samples vary at least by this share, whatever they look like: clocks and counts have a resolution."""
_RESAMPLES = 9999
MOST = 1000
"""Nobody runs more repetitions; so many may be too few."""
_SEED = 1


class Word(StrEnum):
    """What became of a measure; `MOVED` if it differs and neither way is better."""

    BETTER = "better"
    WORSE = "worse"
    MOVED = "moved"
    SAME = "same"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What one contender's samples are; intervals hold 95 % by bootstrap, None for fewer than three samples."""

    n: int
    mean: float
    median: float
    mean_interval: tuple[float, float] | None
    median_interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A contender beside the baseline.

    `change` is how much more it is, 0.1 for 10 %, `low` and `high` its 95 % confidence interval by Welch; None where
    samples are not positive, or too few. `effect` is the probability that a sample of the contender is above one of the
    baseline, halved for equal ones: 0.5 is none at all. `p` is the probability of such a difference by chance,
    corrected for the number of comparisons once `decide` has seen them all. `within` tells whether a change of the
    margin can be ruled out both ways. `needed` is how many repetitions would tell such a change, or one of the margin
    if that is more; None if that is not known.
    """

    n: int
    change: float | None
    low: float | None
    high: float | None
    effect: float
    p: float
    within: bool
    needed: int | None = None
    word: Word = Word.UNKNOWN


def summary(samples: Sequence[float]) -> Summary:
    """Mean and median of samples, of which there is one at least, with their intervals."""
    values = np.asarray(samples, dtype=float)
    return Summary(
        n=len(values),
        mean=float(values.mean()),
        median=float(np.median(values)),
        mean_interval=_bootstrapped(np.mean, values),
        median_interval=_bootstrapped(np.median, values),
    )


def compare(samples: Sequence[float], baseline: Sequence[float], *, margin: float, comparisons: int = 1) -> Comparison:
    """One contender beside the baseline, not yet decided; a change of less than `margin`, 0.05 for 5 %, is none.

    `comparisons` is how many will be decided together.
    """
    ours, first = np.asarray(samples, dtype=float), np.asarray(baseline, dtype=float)
    pair = _Pair(ours, first)
    change, low, high = pair.change()
    return Comparison(
        n=min(len(ours), len(first)),
        change=change,
        low=low,
        high=high,
        effect=float(np.mean([(a > b) + 0.5 * (a == b) for a in ours for b in first])),
        p=pair.p("two-sided", 0.0),
        within=pair.p("less", margin) <= 1 - CONFIDENCE and pair.p("greater", -margin / (1 + margin)) <= 1 - CONFIDENCE,
        needed=needed(samples, baseline, max(margin, _size(change)), comparisons),
    )


def decide(comparisons: Mapping[Key, Comparison], higher: Mapping[Key, bool | None]) -> dict[Key, Comparison]:
    """All comparisons of a bench with their words; `higher` says whether more is better, None if neither is."""
    corrected = holm({key: one.p for key, one in comparisons.items()})
    return {
        key: replace(one, p=corrected[key], word=_word(one, corrected[key], higher[key]))
        for key, one in comparisons.items()
    }


def holm(values: Mapping[Key, float]) -> dict[Key, float]:
    """Probabilities of error corrected for their number, after Holm (1979)."""
    corrected: dict[Key, float] = {}
    largest = 0.0
    for rank, key in enumerate(sorted(values, key=lambda one: values[one])):
        largest = max(largest, min(1.0, (len(values) - rank) * values[key]))
        corrected[key] = largest
    return {key: corrected[key] for key in values}


def beyond(samples: Sequence[float], baseline: Sequence[float], share: float) -> tuple[float, float]:
    """How probable such samples are by chance if they are no more than `share` above the baseline, and if no less.

    A negative share is one below. The first is small for samples that are above that, the second for those below.
    """
    pair = _Pair(np.asarray(samples, dtype=float), np.asarray(baseline, dtype=float))
    return pair.p("greater", share), pair.p("less", share)


def needed(samples: Sequence[float], baseline: Sequence[float], share: float, comparisons: int = 1) -> int | None:
    """How many repetitions of each would tell a change of the share with a power of 80 %, None if that is not known.

    From the variance of both, by the quantiles of Student's distribution; the probability of error is divided by the
    number of comparisons that are decided together.
    """
    both = [np.asarray(one, dtype=float) for one in (samples, baseline)]
    if any(len(one) < 2 or (one <= 0).any() for one in both):
        return None
    variance = float(np.mean([max(np.log(one).var(ddof=1), RESOLUTION**2) for one in both]))
    counts = np.arange(FEWEST, MOST)
    freedom = 2 * counts - 2
    quantiles = stats.t.ppf(1 - (1 - CONFIDENCE) / 2 / comparisons, freedom) + stats.t.ppf(POWER, freedom)
    enough = quantiles * np.sqrt(2 * variance / counts) <= math.log1p(share)
    return int(counts[enough.argmax()]) if enough.any() else MOST


def _size(change: float | None) -> float:
    """A change as a share by which the larger one is more."""
    return 0.0 if change is None else math.expm1(abs(math.log1p(change)))


def _word(one: Comparison, p: float, higher: bool | None) -> Word:
    if one.n < FEWEST:
        return Word.UNKNOWN
    if one.within:
        return Word.SAME
    if p > 1 - CONFIDENCE:
        return Word.UNKNOWN
    if higher is None:
        return Word.MOVED
    return Word.BETTER if (one.effect > 0.5) == higher else Word.WORSE


class _Pair:
    """Two sets of samples on the scale on which they are compared: logarithms if all are positive."""

    def __init__(self, ours: Samples, first: Samples) -> None:
        self._logarithmic = bool((ours > 0).all() and (first > 0).all())
        self._scale = 1.0 if self._logarithmic else max(abs(float(ours.mean())), abs(float(first.mean())))
        self._base = 0.0 if self._logarithmic else abs(float(first.mean()))
        x, y = (np.log(ours), np.log(first)) if self._logarithmic else (ours, first)
        self._x, self._y = self._stats(x), self._stats(y)
        self._few = min(len(ours), len(first)) < 2

    def _stats(self, values: Samples) -> tuple[float, float, int]:
        """Mean, standard deviation and number."""
        deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        return float(values.mean()), max(deviation, RESOLUTION * self._scale), len(values)

    def p(self, alternative: str, share: float) -> float:
        """How probable such samples are if ours are `share` above the first; 1 if they are too few or all zero."""
        if self._few:
            return 1.0
        if self._scale == 0:
            # Zeros are no different from zeros, and so not above any share of them and below every one.
            return 0.0 if (alternative == "less" and share > 0) or (alternative == "greater" and share < 0) else 1.0
        shift = math.log1p(share) if self._logarithmic else share * self._base
        mean, deviation, n = self._x
        found = stats.ttest_ind_from_stats(
            mean - shift, deviation, n, *self._y, equal_var=False, alternative=alternative
        )
        return float(found.pvalue)

    def change(self) -> tuple[float | None, float | None, float | None]:
        """How much more ours are than the first, as a share, and its confidence interval."""
        if not self._logarithmic:
            return None, None, None
        (mean, deviation, n), (other, spread, m) = self._x, self._y
        apart = mean - other
        if self._few:
            return math.expm1(apart), None, None
        a, b = deviation**2 / n, spread**2 / m
        freedom = (a + b) ** 2 / (a**2 / (n - 1) + b**2 / (m - 1))
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * math.sqrt(a + b)
        return math.expm1(apart), math.expm1(apart - half), math.expm1(apart + half)


def _bootstrapped(statistic: Callable[..., Any], values: Samples) -> tuple[float, float] | None:
    """The 95 % interval of a statistic by 9,999 resamples."""
    if len(values) < FEWEST:
        return None
    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    found = stats.bootstrap(
        (values,),
        statistic,
        confidence_level=CONFIDENCE,
        method="percentile",
        n_resamples=_RESAMPLES,
        vectorized=True,
        rng=np.random.default_rng(_SEED),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
