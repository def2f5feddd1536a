"""Numbers with their units, the same in every format for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from knavtool.measure.table import Measure

_UNITS = {"ratio": "", "gpus": "GPUs", "gpu-seconds": "GPU-s", "count": "", "pods/s": "pods/s"}
_PARTS = ("gpu.occupancy", "cpu.occupancy", "memory.occupancy", "machine.cpu")
"""Ratios that are parts of a whole."""
_FACTORS = {"ms": 1000.0, "min": 1 / 60, "h": 1 / 3600, "%": 100.0, "MiB": 2**-20}
UNKNOWN = "unknown"


def value_and_unit(value: float | None, unit: str, name: str = "") -> tuple[str, str]:
    """A value as people read it, and the unit behind it: `25.7`, `s`; of a part of a whole `81.1`, `%`."""
    if value is None:
        return UNKNOWN, ""
    if unit == "ratio" and name.startswith(_PARTS):
        return short(value * 100), "%"
    if unit == "bytes":
        return short(value / 2**20), "MiB"
    if unit == "s":
        return duration(value)
    return short(value), _UNITS.get(unit, unit)


def factor_of(unit: str) -> float:
    """By what a measure is multiplied to be in a unit that `value_and_unit` gave."""
    return _FACTORS.get(unit, 1.0)


def duration(seconds: float) -> tuple[str, str]:
    """Seconds in the unit that shows them best: ms, s, min, h."""
    size = abs(seconds)
    if 0 < size < 0.0995:
        return short(seconds * 1000), "ms"
    if size < 600:
        return short(seconds), "s"
    return (short(seconds / 60), "min") if size < 36_000 else (short(seconds / 3600), "h")


def short(value: float) -> str:
    """Three digits that count; thousands are set apart by commas."""
    size = abs(value)
    if value == int(value):
        return f"{int(value):,}"
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 1 else f"{value:.3g}"


def text(measure: Measure) -> str:
    """A measure in one cell."""
    shown, unit = value_and_unit(measure.value, measure.unit, measure.name)
    return f"{shown}\u00a0{unit}" if unit else shown


def cell(value: Any, unit: str = "") -> str:
    """A value of a table in one cell, bytes as MiB; what is not known is a dash."""
    if value is None:
        return "–"  # noqa: RUF001
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and unit != "":
        if unit == "bytes":
            return short(value / 2**20)
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return str(value)
