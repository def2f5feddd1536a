"""What a bench found, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.bench.judge import MOST, Word
from knavtool.bench.result import Outcome
from knavtool.measure.names import unit_of
from knavtool.report.measured.numbers import value_and_unit

if TYPE_CHECKING:
    from knavtool.bench.judge import Summary
    from knavtool.bench.result import Cell, Result


def shown(value: float | None, measure: str) -> str:
    """A value with its unit."""
    text, unit = value_and_unit(value, unit_of(measure), measure)
    return f"{text} {unit}" if unit else text


def interval(low: float, high: float, measure: str) -> str:
    """An interval with its unit."""
    (first, unit), (second, other) = (value_and_unit(value, unit_of(measure), measure) for value in (low, high))
    if low == high:
        return shown(low, measure)
    if unit != other:
        return f"{shown(low, measure)} to {shown(high, measure)}"
    return f"{first} to {second} {unit}".rstrip()


def between(one: Summary, measure: str) -> str:
    """The 95 % interval of the median; empty if it is not known."""
    return interval(*one.median_interval, measure) if one.median_interval is not None else ""


def cell_text(cell: Cell) -> str:
    """The median of a cell with its interval, or why there is none."""
    if cell.summary is None:
        return f"unknown: {cell.why}"
    text, around = shown(cell.summary.median, cell.measure), between(cell.summary, cell.measure)
    return text + (f" ({around})" if around else "") + (" *" if cell.marked else "")


def headline(result: Result) -> str:
    """The whole result in a sentence or two."""
    failed = [one for one in result.verdict if one.outcome is Outcome.FAILED]
    unknown = [one for one in result.verdict if one.outcome is Outcome.UNKNOWN]
    broken = [one.name for one in result.contenders if one.failure]
    told = []
    if not result.whole:
        told.append("not finished")
    if broken:
        told.append(f"{', '.join(broken)} failed")
    if failed:
        told.append(f"{len(failed)} of {len(result.verdict)} rules broken")
    if unknown:
        told.append(f"{len(unknown)} of {len(result.verdict)} rules cannot be decided with so few repetitions")
    if result.verdict and not failed and not unknown:
        told.append(f"all {len(result.verdict)} rules kept")
    if not result.verdict:
        told.append(_counted(result))
    return "; ".join(filter(None, told)) or "one contender, nothing to compare"


def _counted(result: Result) -> str:
    words = [one.comparison.word for one in result.cells if one.comparison is not None]
    counts = [(word_, words.count(word_)) for word_ in Word if word_ in words]
    if not counts:
        return ""
    told = ", ".join(f"{count} {word_}" for word_, count in counts)
    return f"compared with {result.baseline}: {told}"


def cautions(result: Result) -> list[str]:
    """What must be known of a result, one sentence each."""
    found = [f"{one.name}: {one.failure}" for one in result.contenders if one.failure]
    for one in result.attempts:
        which = ", ".join(filter(None, (one.contender, one.scenario, f"repetition {one.number}")))
        if one.number and one.marks and not one.counted:
            found.append(f"{which}, attempt {one.attempt} was run again: {'; '.join(one.marks)}")
        elif one.counted and one.marks:
            found.append(f"{which} counts although it is marked: {'; '.join(one.marks)}")
    if any(cell.marked for cell in result.cells):
        found.append("* made with repetitions that are marked")
    for name in (one.name for one in result.contenders):
        counted = [one for one in result.attempts if one.counted and one.contender == name]
        if limited := [one for one in counted if one.limits]:
            share = f"{len(limited)} of {len(counted)} repetitions"
            found.append(f"{name}: the machine was the limit in {share}: {limited[0].limits[0]}")
    return found


def setting(result: Result) -> str:
    """Where, with what and how often."""
    machine = result.machine
    parts = (machine.get("processor"), f"{machine.get('cores', '?')} processors", machine.get("memory"))
    began = min((one.began for one in result.attempts), default="")[:10]
    where = ", ".join(filter(None, parts))
    return (
        f"knavtool {result.knavtool}, {result.repetitions} repetitions each, {where}, {began}. Medians with 95 % "
        "intervals by bootstrap; differences by Welch's test on logarithms, corrected after Holm."
    )


def change(cell: Cell, first: Cell) -> str:
    """How much more a contender is than the baseline, with the interval and the numbers of samples."""
    numbers = f"n = {len(cell.samples)} and {len(first.samples)}"
    one = cell.comparison
    if one is None or one.change is None:
        means = [shown(each.summary.mean if each.summary is not None else None, cell.measure) for each in (cell, first)]
        return f"{means[0]} against {means[1]}, {numbers}"
    return f"{percent(one.change)}{_between(one.low, one.high)}, {numbers}"


def percent(share: float) -> str:
    """A change as people read it."""
    size = abs(100 * share)
    return f"{100 * share:+.0f} %" if size >= 10 else f"{100 * share:+.1f} %"


def word(result: Result, cell: Cell) -> str:
    """What became of a measure: `worse, +12 %`, `same within 5 %`, `cannot tell, +2 %`; empty for the baseline."""
    one = cell.comparison
    if one is None:
        return ""
    if one.word is Word.SAME:
        return f"same within {100 * result.same_within:.4g} %"
    return f"{one.word}, {percent(one.change)}" if one.change is not None else str(one.word)


def more(cell: Cell) -> str:
    """How many repetitions would tell, if these cannot; otherwise empty."""
    one = cell.comparison
    if one is None or one.word is not Word.UNKNOWN or one.needed is None or one.needed <= one.n:
        return ""
    return f"{one.needed} repetitions {'or more ' if one.needed >= MOST else ''}would"


def _between(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" ({percent(low)} to {percent(high)})"
