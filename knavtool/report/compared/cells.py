"""A change in cells: both values and their difference in one unit, so that they can be compared by eye."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.measure.comparing import Word
from knavtool.report.measured.numbers import UNKNOWN, duration, factor_of, short, value_and_unit

if TYPE_CHECKING:
    from knavtool.measure.comparing import Change, Comparison, Distance, Run
    from knavtool.measure.relative import RelativeThreshold
    from knavtool.measure.threshold import Verdict

    Judged = tuple[RelativeThreshold, Verdict]

SIGNS = {Word.BETTER: "▲", Word.WORSE: "▼", Word.MOVED: "◆", Word.SAME: "=", Word.UNKNOWN: "?"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """What is shown of a change; `relative` is empty where there is none."""

    measure: str
    before: str
    after: str
    difference: str
    relative: str
    n: str
    word: str
    why: str


def cells(change: Change) -> Cells:
    """The texts of one row."""
    before, after = change.before, change.after
    size = max((abs(one.value) for one in (before, after) if one.value is not None), default=0.0)
    unit = value_and_unit(size, after.unit, change.name)[1]
    factor = factor_of(unit)

    def shown(value: float | None) -> str:
        return UNKNOWN if value is None else _with(short(value * factor), unit)

    difference = change.difference
    return Cells(
        measure=change.name,
        before=shown(before.value),
        after=shown(after.value),
        difference="" if difference is None else _signed(difference * factor, "points" if unit == "%" else unit),
        relative=percent(change.relative),
        n=f"{before.n:,}" if before.n == after.n else f"{before.n:,} / {after.n:,}",
        word=change.word.value,
        why=change.why,
    )


def percent(share: float | None) -> str:
    """A share with its sign, `+12.3 %`."""
    if share is None:
        return ""
    return "0 %" if not share else f"{share * 100:+,.1f} %" if abs(share) < 10 else f"{share * 100:+,.0f} %"


def told(distance: Distance) -> str:
    """The distance of two distributions in a sentence."""
    at = " ".join(duration(distance.at))
    return (
        f"{distance.name}: the distributions are at most {distance.value:.0%} apart, at {at} "
        f"(Kolmogorov-Smirnov distance {distance.value:.3f}; n = {distance.n_before:,} and {distance.n_after:,})"
    )


def counted(comparison: Comparison) -> str:
    """`12 measures moved: 8 better, 2 worse, 2 neither; 70 are the same, 10 unknown`."""
    better, worse, neither, same, unknown = (comparison.count(word) for word in Word)
    moved = better + worse + neither
    parts = f": {better} better, {worse} worse, {neither} neither" if moved else ""
    return f"{moved} measure{'' if moved == 1 else 's'} moved{parts}; {same} the same, {unknown} unknown"


def headline(run: Run) -> str:
    """Which run it is: where it was found, its name, when it began, how long it was recorded, its clock."""
    if run.about is None:
        return run.label
    about = run.about
    began = about.began.replace("T", " ")[:19]
    known = [about.name, f"{began} UTC" if began else "", " ".join(duration(about.seconds)), f"clock: {about.clock}"]
    return f"{run.label}: {', '.join(filter(None, known))}"


def _signed(value: float, unit: str) -> str:
    if not value:
        return _with("0", unit)
    return _with(f"{'+' if value > 0 else '-'}{short(abs(value))}", unit)


def _with(number: str, unit: str) -> str:
    return f"{number} {unit}" if unit else number
