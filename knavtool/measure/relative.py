"""Thresholds that are relative to another run: `gang.wait.p95<=+10%`, `makespan<=+5s`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.errors import UsageError
from knavtool.measure.names import unit_of
from knavtool.measure.threshold import (
    OPERATORS,
    Verdict,
    known_measure,
    parse_value,
    place_of,
    samples_for,
    shown_value,
    split,
    too_few,
)

if TYPE_CHECKING:
    from knavtool.measure.comparing import Comparison

_HINT = "for example 'gang.wait.p95<=+10%' or 'makespan<=+5s'; `knavtool run --threshold` takes values without a sign"
_SIGNED = re.compile(r"([+-])([0-9.].*)|(0(?:\.0*)?%?)")
_ACCEPT = "--allow-saturated accepts it"
_EXACT = 9  # decimals to which numbers are compared


@dataclass(frozen=True, slots=True, kw_only=True)
class RelativeThreshold:
    """What a measure of B must be beside that of A.

    It is compared with A's value + `amount`, in the unit of the measure, or with `percent` a share of A's value.
    """

    measure: str
    op: str
    amount: float
    percent: bool
    written: str
    allow_saturated: bool = False

    def __str__(self) -> str:
        return f"{self.measure} {self.op} {self.written}"

    def limit(self, before: float) -> float:
        """The value to compare with."""
        return before + (abs(before) * self.amount if self.percent else self.amount)


def parse_relative(text: str, *, allow_saturated: bool = False) -> RelativeThreshold:
    """A threshold of the command line; raises UsageError."""
    found = split(text)
    if found is None:
        raise UsageError(
            f"--threshold {text!r}: expected MEASURE, one of {', '.join(OPERATORS)}, and a difference", hint=_HINT
        )
    measure, op, written = found
    try:
        known_measure(measure)
        amount, percent = _amount(written, unit_of(measure))
    except UsageError as error:
        raise UsageError(f"--threshold {text!r}: {error.message}", hint=error.hint) from None
    return RelativeThreshold(
        measure=measure, op=op, amount=amount, percent=percent, written=written, allow_saturated=allow_saturated
    )


def _amount(written: str, unit: str) -> tuple[float, bool]:
    """The difference, and whether it is a share of A's value."""
    found = _SIGNED.fullmatch(written)
    if found is None:
        raise UsageError(f"{written!r} is no difference from A; it needs a sign, as in +10% or -2%", hint=_HINT)
    sign = -1 if found[1] == "-" else 1
    number = found[2] or found[3]
    if number.endswith("%"):
        try:
            return sign * float(number[:-1]) / 100, True
        except ValueError:
            raise UsageError(f"{written!r} is no percentage") from None
    return sign * parse_value(number, unit), False


def judge_relative(threshold: RelativeThreshold, comparison: Comparison) -> Verdict:
    """Compare; the message says both values, and why it is missed."""
    before = comparison.before.measure(threshold.measure)
    after = comparison.after.measure(threshold.measure)

    def missed(message: str) -> Verdict:
        return Verdict(passed=False, message=message, value=after.value, n=after.n)

    if before.value is None or after.value is None:
        side, unknown = ("A", before) if before.value is None else ("B", after)
        return missed(f"{unknown.name} is unknown in {side}: {unknown.why}")
    shown = f"{after.name} is {shown_value(after)} (n={after.n}), in A {shown_value(before)} (n={before.n})"
    limit = round(threshold.limit(before.value), _EXACT)
    if not OPERATORS[threshold.op](round(after.value, _EXACT), limit):
        return missed(f"{shown}, expected {threshold.op} A {threshold.written}; see {place_of(after)} in the reports")
    samples = samples_for(threshold.measure)
    if min(before.n, after.n) < samples:
        return missed(f"{shown}, {too_few(samples)}")
    if not threshold.allow_saturated:
        for side, run in (("A", comparison.before), ("B", comparison.after)):
            if run.about is None:
                return missed(f"{shown}, but {run.label} does not say whether {side} was saturated; {_ACCEPT}")
            if run.about.saturated:
                reason = "; ".join(run.about.saturated)
                return missed(f"{shown}, but {side} was saturated: {reason}; {_ACCEPT}")
    return Verdict(passed=True, message=f"{shown}, {threshold.op} A {threshold.written}", value=after.value, n=after.n)
