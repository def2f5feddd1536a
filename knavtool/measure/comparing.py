"""Two runs, measure by measure: what moved, which way, and whether that is more than the clock can tell apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from knavtool.documents.complaints import nearest
from knavtool.errors import UsageError
from knavtool.measure.names import DISTRIBUTIONS, HIGHER, LOWER, all_names, good, unit_of
from knavtool.measure.statistics import ks_distance
from knavtool.measure.table import Measure
from knavtool.measure.threshold import samples_for, too_few

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from knavtool.measure.table import About, Measured, Table

SAME_SHARE = 0.01
"""Values that differ by no more than this share of the larger one are the same."""
SAME_BY_AUDIT = 0.001
"""Seconds: times between moments of pods by the audit log are the same if they differ by no more."""
SAME_BY_WATCH = 0.010
"""Seconds, for times by the watch whose lag is not known; where it is known, its 95th percentile."""
ENOUGH = 20
"""Samples that each of two distributions must have for their distance."""

_EXACT = frozenset(
    {"pods.count", "pods.bound", "pods.ended", "gangs.count", "gangs.partial", "gpu.capacity"}
    | {"preemptions.count", "evictions.count"}
)
"""Counts of what happened: they are the same if they are equal."""
_OF_PODS = ("makespan", "pod.", "gang.latency", "gang.skew", "gang.partial")
"""Times from one moment of pods to another, which the audit log knows; it lacks those of other objects."""
_ROUNDING = 1e-9
_COMPARED = ("pod.wait", "gang.wait")
"""Distributions whose distance is told."""


class Word(StrEnum):
    """What became of a measure; `MOVED` if neither way is better."""

    BETTER = "better"
    WORSE = "worse"
    MOVED = "moved"
    SAME = "same"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One of the two runs. `label` is where it was found.

    `about` and `tables` are None if its file has only measures.
    """

    label: str
    measures: Mapping[str, Measure]
    about: About | None = None
    tables: Mapping[str, Table] | None = None

    @classmethod
    def of(cls, label: str, measured: Measured) -> Run:
        """A run whose recording was measured."""
        return cls(label=label, measures=measured.measures, about=measured.about, tables=measured.tables)

    def measure(self, name: str) -> Measure:
        """A measure, also one that its file does not have."""
        found = self.measures.get(name)
        if found is None:
            found = Measure(name=name, value=None, unit=unit_of(name), n=0, why=f"{self.label} does not have it")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One measure in both runs.

    `difference` is after - before in the unit of the measure, `relative` the same as a share of before: None if that
    is 0. Both are None if one of the values is. `why` is the reason for `UNKNOWN`, and for `SAME` if only the clock is.
    """

    before: Measure
    after: Measure
    word: Word
    why: str = ""

    @property
    def name(self) -> str:
        """The name of the measure."""
        return self.after.name

    @property
    def difference(self) -> float | None:
        """After - before."""
        if self.before.value is None or self.after.value is None:
            return None
        return self.after.value - self.before.value

    @property
    def relative(self) -> float | None:
        """The difference as a share of before."""
        difference = self.difference
        return difference / abs(self.before.value) if difference is not None and self.before.value else None

    @property
    def moved(self) -> bool:
        """Whether both values are known and differ by more than they may."""
        return self.word in (Word.BETTER, Word.WORSE, Word.MOVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """How far two distributions are apart, as Kolmogorov and Smirnov measure it.

    `value` is the largest difference between the shares of both that do not exceed a value, and `at` the lowest value
    at which they differ so much.
    """

    name: str
    value: float
    at: float
    n_before: int
    n_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All measures of two runs in the order of their names, and distances where both have enough samples."""

    before: Run
    after: Run
    changes: Sequence[Change]
    distances: Sequence[Distance] = field(default_factory=tuple)

    def count(self, word: Word) -> int:
        """How many measures became that."""
        return sum(change.word is word for change in self.changes)


def compare(before: Run, after: Run) -> Comparison:
    """Compare two runs; every measure is there."""
    changes = [_change(before, after, name) for name in all_names()]
    return Comparison(before=before, after=after, changes=changes, distances=_distances(before, after))


def _change(before: Run, after: Run, name: str) -> Change:
    first, second = before.measure(name), after.measure(name)
    missing = [f"{side}: {one.why or 'unknown'}" for side, one in (("A", first), ("B", second)) if one.value is None]
    if first.value is None or second.value is None:
        why = first.why if first.why == second.why else "; ".join(missing)
        return Change(before=first, after=second, word=Word.UNKNOWN, why=why)
    apart, size = abs(second.value - first.value), max(abs(first.value), abs(second.value))
    least = _least(before, after, name)
    if apart <= max(least, 0.0 if name in _EXACT else SAME_SHARE * size):
        why = f"the clock cannot tell {least * 1000:.3g} ms apart" if apart > SAME_SHARE * size else ""
        return Change(before=first, after=second, word=Word.SAME, why=why)
    samples = samples_for(name)
    if min(first.n, second.n) < samples:
        return Change(before=first, after=second, word=Word.UNKNOWN, why=too_few(samples))
    way = LOWER if second.value < first.value else HIGHER
    better = good(name)
    word = Word.MOVED if not better else Word.BETTER if way == better else Word.WORSE
    return Change(before=first, after=second, word=word)


def _least(before: Run, after: Run, name: str) -> float:
    """By how much values may differ at least and be the same, however small they are."""
    if unit_of(name) == "s":
        return max(_noise(before.about, name), _noise(after.about, name))
    return 0.0 if name in _EXACT else _ROUNDING


def _noise(about: About | None, name: str) -> float:
    """Seconds by which the clock of a run may be wrong about a time."""
    if about is not None and about.clock == "audit" and name.startswith(_OF_PODS):
        return SAME_BY_AUDIT
    if about is not None and about.lag_p95 is not None:
        return max(about.lag_p95, SAME_BY_AUDIT)
    return SAME_BY_WATCH


def _distances(before: Run, after: Run) -> list[Distance]:
    found = []
    for name in _COMPARED:
        first, second = values(before, name), values(after, name)
        if min(len(first), len(second)) >= ENOUGH:
            value, at = ks_distance(first, second)
            found.append(Distance(name=name, value=value, at=at, n_before=len(first), n_after=len(second)))
    return found


def values(run: Run, name: str) -> list[float]:
    """The sorted samples of a distribution; none if the run has measures only."""
    quantity = DISTRIBUTIONS[name]
    column = run.tables[quantity.table].column(quantity.column) if run.tables is not None else []
    return sorted(value for value in column if value is not None)


def matching(names: Iterable[str]) -> frozenset[str]:
    """The measures of these names, of which `gang.wait` stands for all its statistics.

    Raises UsageError for a name that no measure has.
    """
    known = all_names()
    wanted: set[str] = set()
    for name in names:
        found = {one for one in known if one == name or one.startswith(f"{name}.")}
        if not found:
            hint = nearest(name, [*known, *DISTRIBUTIONS]) or "; docs/measures.md lists them"
            raise UsageError(f"--measure {name!r}: no measure of that name{hint}")
        wanted |= found
    return frozenset(wanted)


def chosen(comparison: Comparison, names: Container[str] | None = None, *, every: bool = False) -> list[Change]:
    """The changes of these measures; without names of those that moved, or of `every` one."""
    if names is not None:
        return [change for change in comparison.changes if change.name in names]
    return [change for change in comparison.changes if every or change.moved]
