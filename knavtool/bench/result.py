"""What a bench found: samples, summaries, comparisons and the verdict, as every report of it reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knavtool.bench.judge import Comparison, Summary


class Outcome(StrEnum):
    """What a rule says of a contender."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One measure of one contender in one scenario.

    `samples` are by number of the repetition, of those that count and know the measure. `why` says why there are none,
    `marked` which of them are not to be trusted. `comparison` is None for the baseline, and where one of the two has
    no samples.
    """

    scenario: str
    contender: str
    measure: str
    samples: Mapping[int, float]
    marked: Sequence[int] = ()
    summary: Summary | None = None
    comparison: Comparison | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """`components` are the processes of its cluster with version, settings and changes, as its recordings tell them.

    `tunables` are what bounds how fast these work, one row for each value, as in the table of that name. `failure` says
    why it has no numbers, empty if it has some.
    """

    name: str
    components: Sequence[Mapping[str, Any]] = ()
    tunables: Sequence[Mapping[str, Any]] = ()
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt at a repetition; `directory` is relative to that of the bench, `counted` says whether it counts.

    `measured` tells whether it has a recording that could be measured, and so a report.
    """

    scenario: str
    contender: str
    number: int
    attempt: int
    status: str
    counted: bool
    directory: str
    began: str
    seconds: Mapping[str, float]
    message: str = ""
    marks: Sequence[str] = ()
    limits: Sequence[str] = ()
    notes: Sequence[str] = ()
    measured: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One rule for one contender in one scenario; `text` is the rule, `message` what was found."""

    scenario: str
    contender: str
    text: str
    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`digest` is that of the workload. `machine` has texts such as system, cores, processor and memory.

    `whole` tells whether every repetition is there that was asked for.
    """

    name: str
    description: str
    knavtool: str
    digest: str
    machine: Mapping[str, str]
    baseline: str
    repetitions: int
    same_within: float
    measures: Sequence[str]
    scenarios: Sequence[str]
    contenders: Sequence[Contender]
    attempts: Sequence[Attempt]
    cells: Sequence[Cell]
    verdict: Sequence[Judged] = field(default_factory=tuple)
    whole: bool = True

    def cell(self, scenario: str, contender: str, measure: str) -> Cell:
        """One of the cells; all combinations are there."""
        return next(
            one for one in self.cells if (one.scenario, one.contender, one.measure) == (scenario, contender, measure)
        )

    @property
    def failed(self) -> bool:
        """Whether a rule is broken, or a contender failed."""
        return any(one.outcome is Outcome.FAILED for one in self.verdict) or any(one.failure for one in self.contenders)

    @property
    def certain(self) -> bool:
        """Whether every rule is decided, and without rules every comparison."""
        from knavtool.bench.judge import Word

        if self.verdict:
            return all(one.outcome is not Outcome.UNKNOWN for one in self.verdict)
        return all(one.comparison is None or one.comparison.word is not Word.UNKNOWN for one in self.cells)
