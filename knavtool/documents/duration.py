"""Durations as Go writes them: `300ms`, `5s`, `1m30s`, `2h`."""

from __future__ import annotations

import re

from knavtool.errors import UsageError

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)"
_WHOLE = re.compile(rf"[+-]?(?:{_PART})+")


def is_duration(text: str) -> bool:
    """Whether Go's time.ParseDuration accepts it."""
    return text in ("0", "+0", "-0") or _WHOLE.fullmatch(text) is not None


def parse_duration(text: str) -> float:
    """Seconds; raises UsageError with what was expected."""
    if not is_duration(text):
        raise UsageError(f"{text!r} is not a duration; write a number with a unit, like 300ms, 5s, 1m30s, 2h")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text))
    return -seconds if text.startswith("-") else seconds
