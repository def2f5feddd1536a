"""What was measured as one JSON document."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson

from knavtool.report import files

if TYPE_CHECKING:
    from pathlib import Path

    from knavtool.measure.table import Measured


def document(measured: Measured) -> dict[str, Any]:
    """`about`, `measures` by name as value, unit, n and why, and `tables` by name, each a list of rows as objects."""
    return {
        "about": asdict(measured.about),
        "measures": measures(measured),
        "tables": {name: list(table.dicts()) for name, table in measured.tables.items()},
    }


def measures(measured: Measured) -> dict[str, dict[str, Any]]:
    """Each measure by its name; `why` it is not known is there only then."""
    return {
        name: {"value": one.value, "unit": one.unit, "n": one.n} | ({"why": one.why} if one.why else {})
        for name, one in measured.measures.items()
    }


def text(measured: Measured) -> str:
    """The document as text; numbers that are not finite are null."""
    return orjson.dumps(document(measured), default=str, option=orjson.OPT_APPEND_NEWLINE).decode()


def write(path: Path, measured: Measured) -> None:
    """Write the document; it is there whole or not at all. Raises OutputError."""
    files.write(path, text(measured))
