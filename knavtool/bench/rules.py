"""What the rules of a bench say of its contenders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.bench.judge import CONFIDENCE, FEWEST, beyond, holm, needed
from knavtool.bench.planning import threshold
from knavtool.bench.result import Judged, Outcome
from knavtool.bench.words import change, shown
from knavtool.measure.names import more_is_better

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from knavtool.bench.planning import Planned
    from knavtool.bench.result import Cell
    from knavtool.documents.bench_file import Rule

_ERROR = 1 - CONFIDENCE


def verdict(bench: Planned, cells: Sequence[Cell]) -> Iterator[Judged]:
    """Every rule for every contender in every scenario, those about the baseline first."""
    by_key = {(one.scenario, one.contender, one.measure): one for one in cells}
    baseline, contenders = bench.file.baseline, [one.name for one in bench.file.contenders]
    each = [
        (rule, scenario.name, name)
        for rule in bench.file.verdict
        for scenario in bench.scenarios
        for name in contenders
    ]
    yield from _relative(
        [
            (rule, rule.worse, by_key[scenario, name, rule.measure], by_key[scenario, baseline, rule.measure])
            for rule, scenario, name in each
            if rule.worse is not None and name != baseline
        ]
    )
    for rule, scenario, name in each:
        if rule.value is not None:
            yield _absolute(rule, by_key[scenario, name, rule.measure])


def _relative(pairs: Sequence[tuple[Rule, float, Cell, Cell]]) -> Iterator[Judged]:
    """Rules about the baseline; probabilities are corrected for their number."""
    chances = {
        index: chances_of(cell, first, share)
        for index, (_, share, cell, first) in enumerate(pairs)
        if cell.samples and first.samples
    }
    worse = holm({index: pair[0] for index, pair in chances.items()})
    for index, (rule, share, cell, first) in enumerate(pairs):
        text = f"{rule.measure} at most {100 * share:.4g} % worse than {first.contender}"
        if index not in chances:
            missing = first if cell.samples else cell
            outcome, message = Outcome.UNKNOWN, f"it is not known of {missing.contender}: {missing.why}"
        else:
            outcome, message = _decided(cell, first, share, worse[index], chances[index][1])
        yield Judged(scenario=cell.scenario, contender=cell.contender, text=text, outcome=outcome, message=message)


def chances_of(cell: Cell, first: Cell, share: float) -> tuple[float, float]:
    """How probable such samples are by chance if they are not worse than `first` by the share, and if they are.

    Both cells have samples, of a measure of which one way is better.
    """
    samples, baseline = list(cell.samples.values()), list(first.samples.values())
    if more_is_better(cell.measure):
        above, below = beyond(samples, baseline, -share)
        return below, above
    return beyond(samples, baseline, share)


def _decided(cell: Cell, first: Cell, share: float, worse: float, fine: float) -> tuple[Outcome, str]:
    found = change(cell, first)
    enough = min(len(cell.samples), len(first.samples)) >= FEWEST
    if enough and worse <= _ERROR:
        return Outcome.FAILED, found
    if enough and fine <= _ERROR:
        return Outcome.PASSED, found
    more = needed(list(cell.samples.values()), list(first.samples.values()), share or 0.01)
    return Outcome.UNKNOWN, found + (f"; {more} repetitions of each would tell" if more is not None else "")


def _absolute(rule: Rule, cell: Cell) -> Judged:
    """A rule about every repetition."""
    expected = threshold(rule)
    assert expected is not None  # noqa: S101 - of rules with a value
    missed = [value for value in cell.samples.values() if not expected.holds(value)]
    if not cell.samples:
        outcome, message = Outcome.UNKNOWN, f"it is not known: {cell.why}"
    elif missed:
        worst = max(missed, key=lambda value: abs(value - expected.value))
        outcome = Outcome.FAILED
        message = f"missed in {len(missed)} of {len(cell.samples)} repetitions, at worst {shown(worst, cell.measure)}"
    else:
        outcome, message = Outcome.PASSED, f"in {len(cell.samples)} of {len(cell.samples)} repetitions"
    text = f"{expected} in every repetition"
    return Judged(scenario=cell.scenario, contender=cell.contender, text=text, outcome=outcome, message=message)
