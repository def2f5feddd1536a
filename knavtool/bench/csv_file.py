"""A result as CSV: one line for each sample."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from knavtool.measure.names import unit_of
from knavtool.report import files

if TYPE_CHECKING:
    from pathlib import Path

    from knavtool.bench.result import Result

NAME = "result.csv"
_COLUMNS = ("scenario", "contender", "repetition", "measure", "value", "unit", "marked")


def text(result: Result) -> str:
    """The lines, with one of column names."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for cell in result.cells:
        for number, value in cell.samples.items():
            marked = "yes" if number in cell.marked else ""
            writer.writerow((cell.scenario, cell.contender, number, cell.measure, value, unit_of(cell.measure), marked))
    return out.getvalue()


def write(path: Path, result: Result) -> None:
    """Write it, whole or not at all. Raises OutputError."""
    files.write(path, text(result))
