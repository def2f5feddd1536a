"""Durations as Go writes them: `300ms`, `5s`, `1m30s`, `2h`."""

from __future__ import annotations

import re

from knavtool.errors import UsageError

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)"
_WHOLE = re.compile(rf"[+-]?(?:0|(?:{_PART})+)")
# Go counts nanoseconds in 64 bits, which is about 292 years.
_LONGEST = 2**63 / 1e9


def is_duration(text: str) -> bool:
    """Whether it has the form that Go's time.ParseDuration accepts."""
    return _WHOLE.fullmatch(text) is not None


def parse_duration(text: str, *, option: str = "", zero: bool = False) -> float:
    """Seconds; raises UsageError with what was expected.

    `option` is the one of the command line that has it: time that is to be waited for must be longer than zero, or
    with `zero` not negative.
    """
    where = f"{option}: " if option else ""
    if not is_duration(text):
        raise UsageError(f"{where}{text!r} is not a duration; write a number with a unit, like 300ms, 5s, 1m30s, 2h")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text))
    if seconds >= _LONGEST:
        raise UsageError(f"{where}{text!r} is too long a time; expected less than 292 years")
    if text.startswith("-"):
        seconds = -seconds
    if option and (seconds < 0 or not (seconds or zero)):
        raise UsageError(f"{option} {text}: must {'not be negative' if zero else 'be longer than zero'}")
    return seconds
