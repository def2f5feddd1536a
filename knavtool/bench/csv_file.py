"""A result as CSV: one line for each sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.measure.names import unit_of
from knavtool.report import files
from knavtool.report.measured.csv_files import csv_text

if TYPE_CHECKING:
    from pathlib import Path

    from knavtool.bench.result import Result

NAME = "result.csv"
_COLUMNS = ("scenario", "contender", "repetition", "measure", "value", "unit", "marked")


def text(result: Result) -> str:
    """The lines, with one of column names."""
    return csv_text(
        _COLUMNS,
        (
            (
                cell.scenario,
                cell.contender,
                number,
                cell.measure,
                value,
                unit_of(cell.measure),
                "yes" if number in cell.marked else "",
            )
            for cell in result.cells
            for number, value in cell.samples.items()
        ),
    )


def write(path: Path, result: Result) -> None:
    """Write it, whole or not at all. Raises OutputError."""
    files.write(path, text(result))
