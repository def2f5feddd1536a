"""Lists on stdout: a table for people, JSON or YAML for programs."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from knavtool.cli.options import Output
from knavtool.report.text import in_columns

if TYPE_CHECKING:
    from collections.abc import Sequence


def print_rows(rows: Sequence[Any], output: Output) -> None:
    """Print dataclass instances; the table has a column for each field whose metadata do not say `table: False`."""
    records = [asdict(row) for row in rows]
    if output is Output.JSON:
        import json

        print(json.dumps(records, indent=2, default=str))
    elif output is Output.YAML:
        import yaml

        print(yaml.safe_dump(records, sort_keys=False), end="")
    elif records:
        _print_table(records, [field.name for field in fields(rows[0]) if field.metadata.get("table", True)])


def _print_table(records: list[dict[str, Any]], columns: list[str]) -> None:
    cells = [[column.upper().replace("_", "-") for column in columns]]
    cells += [[_cell(record[column]) for column in columns] for record in records]
    print("\n".join(in_columns(cells)))


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value) or "-"
    return "-" if value in (None, "") else str(value)
