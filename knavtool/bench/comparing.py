"""Two results of one workload, of two days or two commits: what moved for each contender."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from knavtool.bench.judge import CONFIDENCE, FEWEST, Word, compare, decide, holm
from knavtool.bench.rules import chances_of
from knavtool.bench.words import percent, shown
from knavtool.errors import DocumentError
from knavtool.measure.names import more_is_better

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knavtool.bench.judge import Comparison
    from knavtool.bench.result import Cell, Result

_MACHINE = ("system", "cores", "processor", "memory", "cluster")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One measure of one contender in both results. `beyond` tells whether it is worse by more than it may."""

    scenario: str
    contender: str
    measure: str
    old: Cell
    new: Cell
    comparison: Comparison | None
    beyond: bool = False

    @property
    def word(self) -> str:
        """What became of it."""
        one = self.comparison
        if one is None:
            return "unknown"
        told = f", {percent(one.change)}" if one.change is not None and one.word is not Word.SAME else ""
        return f"{one.word}{told}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """All that both results have, and what must be known: cautions, one sentence each."""

    moved: Sequence[Moved]
    cautions: Sequence[str]

    @property
    def failed(self) -> bool:
        """Whether something is worse by more than it may."""
        return any(one.beyond for one in self.moved)

    @property
    def certain(self) -> bool:
        """Whether all is decided."""
        return all(one.comparison is not None and one.comparison.word is not Word.UNKNOWN for one in self.moved)


def differences(old: Result, new: Result, *, worse: float | None, other_machine: bool) -> Differences:
    """Compare what both have; raises DocumentError for what cannot be compared.

    `worse` is the share by which a measure may be worse; without it nothing fails.
    """
    if old.digest != new.digest:
        raise DocumentError(
            "the two results are of different workloads",
            hint="results can be compared if workflows, nodes and variables are the same",
        )
    different = [name for name in _MACHINE if old.machine.get(name) != new.machine.get(name)]
    apart = [f"{name} {old.machine.get(name)!r} and {new.machine.get(name)!r}" for name in different]
    if apart and not other_machine:
        raise DocumentError(
            f"the two results are of different machines: {', '.join(apart)}",
            hint="--other-machine compares them all the same, and says so",
        )
    names = {one.name for one in new.contenders}
    shared = [one.name for one in old.contenders if one.name in names]
    if not shared:
        raise DocumentError("the two results have no contender in common")
    measures = [one for one in old.measures if one in new.measures]
    scenarios = [one for one in old.scenarios if one in new.scenarios]
    found = [
        _moved(old.cell(scenario, name, measure), new.cell(scenario, name, measure), new.same_within)
        for scenario in scenarios
        for name in shared
        for measure in measures
    ]
    raw = {index: one.comparison for index, one in enumerate(found) if one.comparison is not None}
    decided = decide(raw, {index: more_is_better(found[index].measure) for index in raw})
    above = _beyond(found, worse) if worse is not None else set()
    return Differences(
        moved=[replace(one, comparison=decided.get(index), beyond=index in above) for index, one in enumerate(found)],
        cautions=_cautions(old, new, apart),
    )


def rows(found: Differences) -> list[tuple[str, ...]]:
    """The table of it: scenario, contender, measure, both medians, numbers of samples, word."""
    return [
        (
            one.scenario,
            one.contender,
            one.measure,
            *(shown(cell.summary.median if cell.summary else None, one.measure) for cell in (one.old, one.new)),
            f"{len(one.old.samples)}, {len(one.new.samples)}",
            one.word + (" (more than it may be)" if one.beyond else ""),
        )
        for one in found.moved
    ]


def as_data(found: Differences) -> dict[str, Any]:
    """The same as JSON types."""
    names = ("scenario", "contender", "measure", "old", "new", "n", "word")
    moved = []
    for row, one in zip(rows(found), found.moved, strict=True):
        numbers = {"change": one.comparison.change, "p": one.comparison.p} if one.comparison is not None else {}
        moved.append({**dict(zip(names, row, strict=True)), **numbers})
    return {"failed": found.failed, "cautions": list(found.cautions), "moved": moved}


def _moved(old: Cell, new: Cell, margin: float) -> Moved:
    comparison = None
    if old.samples and new.samples:
        comparison = compare(list(new.samples.values()), list(old.samples.values()), margin=margin)
    return Moved(
        scenario=new.scenario,
        contender=new.contender,
        measure=new.measure,
        old=old,
        new=new,
        comparison=comparison,
    )


def _beyond(found: Sequence[Moved], worse: float) -> set[int]:
    """Which of them are worse by more than the share, as far as samples can tell."""
    chances = {
        index: chances_of(one.new, one.old, worse)[0]
        for index, one in enumerate(found)
        if min(len(one.old.samples), len(one.new.samples)) >= FEWEST and more_is_better(one.measure) is not None
    }
    return {index for index, chance in holm(chances).items() if chance <= 1 - CONFIDENCE}


def _cautions(old: Result, new: Result, apart: Sequence[str]) -> list[str]:
    found = [f"different machines: {', '.join(apart)}"] if apart else []
    if old.knavtool != new.knavtool:
        found.append(f"different versions of knavtool: {old.knavtool} and {new.knavtool}")
    for which, result in (("old", old), ("new", new)):
        found += [f"{which}: {one.name}: {one.failure}" for one in result.contenders if one.failure]
        if not result.whole:
            found.append(f"{which}: it was not finished")
        other = {one.name for one in (new if result is old else old).contenders}
        found += [f"only the {which} result has {one.name}" for one in result.contenders if one.name not in other]
        if any(cell.marked for cell in result.cells):
            found.append(f"{which}: some repetitions are marked, and count all the same")
    return found
