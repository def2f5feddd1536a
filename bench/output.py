"""The figures as a table for people and as JSON for machines."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench.machine import BUSY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.measurement import Result
    from bench.setting import Setting

_HEAD = ("name", "ours", "beside", "ratio", "aim", "verdict", "what, and what else")


def table(results: Sequence[Result], setting: Setting) -> str:
    """One line per measurement."""
    rows = [_HEAD, *(_row(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, "", *_notes(results, setting)])


def document(results: Sequence[Result], setting: Setting) -> dict[str, Any]:
    """All samples; times in seconds, sizes in MB."""
    return {
        "machine": {"processors": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "repeat": setting.repeat,
        "quick": setting.quick,
        "measurements": [_measured(result) for result in results],
    }


def _row(result: Result) -> tuple[str, ...]:
    given = result.measurement
    aim = given.aim.text(given.unit)
    if result.error:
        return (given.name, "-", "-", "-", aim, "no figure", result.error.splitlines()[0])
    else_ = "".join(f"; {key}: {value:.3g}" for key, value in result.also.items())
    return (
        given.name,
        f"{result.ours:.3g} {given.unit}",
        f"{result.beside:.3g} {given.unit}",
        f"{result.ratio:.2f}",
        aim,
        "met" if result.met else "missed",
        f"{given.ours} / {given.beside}{else_}",
    )


def _notes(results: Sequence[Result], setting: Setting) -> Iterator[str]:
    yield f"Medians of {setting.repeat} runs; the ratio is the median of the runs' ratios, ours / beside."
    if setting.quick:
        yield "--quick: counts are a tenth of what the names say, so the verdicts mean little."
    for result in results:
        if result.busy > BUSY:
            yield f"{result.measurement.name}: others used {result.busy:.0%} of the processors just before."


def _measured(result: Result) -> dict[str, Any]:
    given = result.measurement
    said: dict[str, Any] = {
        "name": given.name,
        "ours": given.ours,
        "beside": given.beside,
        "unit": given.unit,
        "aim": given.aim.text(given.unit),
        "busy_before": round(result.busy, 3),
        "samples": [asdict(sample) | {"ratio": sample.ratio} for sample in result.samples],
    }
    if result.error:
        return said | {"error": result.error}
    medians = {"ours": result.ours, "beside": result.beside, "ratio": result.ratio, "also": result.also}
    return said | {"median": medians, "met": result.met}
