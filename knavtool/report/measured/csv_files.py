"""What was measured as CSV: a file per table, and one of the measures."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from knavtool.report import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from knavtool.measure.table import Measured

MEASURES = "measures"


def texts(measured: Measured) -> dict[str, str]:
    """The CSV of each table by its name, with a line of column names; what is not known is empty."""
    found = {
        name: csv_text([column.name for column in table.columns], table.rows) for name, table in measured.tables.items()
    }
    rows = [(name, one.value, one.unit, one.n, one.why) for name, one in measured.measures.items()]
    found[MEASURES] = csv_text(["measure", "value", "unit", "n", "why"], rows)
    return found


def write(directory: Path, measured: Measured) -> list[Path]:
    """Write the files, each whole or not at all; returns their paths. Raises OutputError."""
    paths = []
    for name, content in texts(measured).items():
        paths.append(directory / f"{name}.csv")
        files.write(paths[-1], content)
    return paths


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table with a line of column names."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()
