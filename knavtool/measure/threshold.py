"""Thresholds: a measure, a comparison and a value, judged by what was measured."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.documents.complaints import nearest
from knavtool.documents.duration import is_duration, parse_duration
from knavtool.errors import UsageError
from knavtool.measure.names import DISTRIBUTIONS, SINGLE, all_names, unit_of
from knavtool.measure.tables import TITLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from knavtool.measure.table import Measure, Measured

OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}
_TEXT = re.compile(r"\s*([a-z0-9.]+)\s*(<=|>=|==|!=|<|>)\s*(\S+)\s*")
_SAMPLES = {"p50": 2, "p90": 10, "p95": 20, "p99": 100}
"""So many samples a percentile needs before it says anything about the last of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """`value` is in the unit of the measure, and `written` as the user wrote it.

    `samples` is how many the measure must be made of at least. In a saturated run it is missed, unless that is allowed.
    """

    measure: str
    op: str
    value: float
    written: str
    samples: int
    allow_saturated: bool = False

    def __str__(self) -> str:
        return f"{self.measure} {self.op} {self.written}"

    def holds(self, value: float) -> bool:
        """Whether a value is as it must be."""
        return OPERATORS[self.op](value, self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a threshold holds, and why not; `value` is None if the measure is not known."""

    passed: bool
    message: str
    value: float | None
    n: int


def make(
    measure: str, op: str, value: str | float, *, samples: int | None = None, allow_saturated: bool = False
) -> Threshold:
    """A threshold; raises UsageError for an unknown measure, or a value that does not fit its unit."""
    known_measure(measure)
    return Threshold(
        measure=measure,
        op=op,
        value=parse_value(value, unit_of(measure)),
        written=str(value),
        samples=samples if samples is not None else samples_for(measure),
        allow_saturated=allow_saturated,
    )


def known_measure(name: str) -> None:
    """Raise UsageError if there is no measure of that name."""
    if name not in all_names():
        hint = nearest(name, all_names()) or "; docs/measures.md lists them"
        raise UsageError(f"no measure {name!r}{hint}")


def samples_for(name: str) -> int:
    """How many samples a measure needs before it says anything; what is counted or added up may be of none."""
    return _SAMPLES.get(name.rpartition(".")[2], 0 if name in SINGLE else 1)


def split(text: str) -> tuple[str, str, str] | None:
    """Measure, operator and value of a threshold of the command line; None if it has not that form."""
    found = _TEXT.fullmatch(text)
    return (found[1], found[2], found[3]) if found is not None else None


def parse(text: str) -> Threshold:
    """A threshold of the command line, `gang.wait.p95<=20s`; raises UsageError."""
    found = split(text)
    if found is None:
        raise UsageError(
            f"--threshold {text!r}: expected MEASURE, one of {', '.join(OPERATORS)}, and a value",
            hint="for example 'gang.wait.p95<=20s' or 'gpu.occupancy.mean>=80%'",
        )
    try:
        return make(*found)
    except UsageError as error:
        raise UsageError(f"--threshold {text!r}: {error.message}", hint=error.hint) from None


def parse_value(value: str | float, unit: str) -> float:
    """A number in the unit; times may be durations, ratios percentages. Raises UsageError."""
    if isinstance(value, int | float):
        return float(value)
    text = value.strip()
    if unit == "s" and is_duration(text):
        return parse_duration(text)
    try:
        return float(text[:-1]) / 100 if unit == "ratio" and text.endswith("%") else float(text)
    except ValueError:
        forms = {"s": "a duration such as 20s", "ratio": "a number or a percentage such as 80%"}
        raise UsageError(f"{value!r} is not {forms.get(unit, f'a number of {unit}')}") from None


def judge(threshold: Threshold, measured: Measured) -> Verdict:
    """Compare; the message says what was measured, and where in the report more is to be seen."""
    measure = measured.measures[threshold.measure]

    def missed(message: str) -> Verdict:
        return Verdict(passed=False, message=message, value=measure.value, n=measure.n)

    if measure.value is None:
        return missed(f"{measure.name} is unknown: {measure.why}")
    shown = f"{measure.name} is {shown_value(measure)} (n={measure.n})"
    if not threshold.holds(measure.value):
        return missed(f"{shown}, expected {threshold.op} {threshold.written}; see {place_of(measure)} in the report")
    if measure.n < threshold.samples:
        return missed(f"{shown}, {too_few(threshold.samples)}; samples: {measure.n} accepts fewer")
    if measured.about.saturated and not threshold.allow_saturated:
        reason = "; ".join(measured.about.saturated)
        return missed(f"{shown}, but the run was saturated: {reason}; set allowSaturated: true to accept it")
    return Verdict(
        passed=True, message=f"{shown}, {threshold.op} {threshold.written}", value=measure.value, n=measure.n
    )


def shown_value(measure: Measure) -> str:
    """A measure's value with its unit, to three digits after the point."""
    if measure.value is None:
        return "unknown"
    if measure.unit == "ratio":
        return f"{measure.value:.1%}"
    number = f"{measure.value:.3f}".rstrip("0").rstrip(".")
    return number if measure.unit == "count" else f"{number} {measure.unit}"


def too_few(samples: int) -> str:
    """What is said of a measure that needs more samples."""
    return f"of too few samples: expected {samples} or more"


def place_of(measure: Measure) -> str:
    """Where in a report more of a measure is to be seen."""
    quantity = DISTRIBUTIONS.get(measure.name.rpartition(".")[0])
    return f"{TITLES[quantity.table]!r}" if quantity is not None else "'Measures'"
