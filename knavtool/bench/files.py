"""The files of a result, written after a bench: the page and summaries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.bench import csv_file, json_file, markdown_file, page
from knavtool.bench.page.page import NAME as PAGE
from knavtool.measure.comparing import Run
from knavtool.measure.measuring import measure_file

if TYPE_CHECKING:
    from pathlib import Path

    from knavtool.bench.directory import Directory
    from knavtool.bench.result import Attempt, Result

NAMES = (PAGE, markdown_file.NAME, json_file.NAME, csv_file.NAME)


def write(result: Result, directory: Directory, *, cache: Path | None = None) -> None:
    """Write all of them; what is small and matters most comes first. Raises OutputError."""
    json_file.write(directory.path / json_file.NAME, result)
    csv_file.write(directory.path / csv_file.NAME, result)
    markdown_file.write(directory.path / markdown_file.NAME, result)
    shown = {scenario: typical_runs(result, scenario, directory.path) for scenario in result.scenarios}
    page.write(directory.path / PAGE, result, shown, cache=cache)


def typical_runs(result: Result, scenario: str, directory: Path) -> dict[str, Run]:
    """What was measured in the typical repetition of each contender, by name; `directory` is that of the bench."""
    found = {one.name: typical(result, scenario, one.name) for one in result.contenders}
    return {
        name: Run.of(name, measure_file(directory / one.directory)) for name, one in found.items() if one is not None
    }


def typical(result: Result, scenario: str, contender: str) -> Attempt | None:
    """The repetition that has the median of the first measure, the lower one of two; None if none counts."""
    samples = result.cell(scenario, contender, result.measures[0]).samples
    counted = {
        one.number: one
        for one in result.attempts
        if one.counted and (one.scenario, one.contender) == (scenario, contender)
    }
    order = sorted(samples.keys() & counted.keys(), key=lambda number: samples[number]) or sorted(counted)
    return counted[order[(len(order) - 1) // 2]] if order else None
