"""A run to be compared, from whatever file it left: its recording, or a report that has its measures."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import orjson

from knavtool.errors import DocumentError
from knavtool.measure.comparing import Run
from knavtool.measure.measuring import measure_file
from knavtool.measure.names import all_names, unit_of
from knavtool.measure.reading import NAME
from knavtool.measure.table import About, Measure

if TYPE_CHECKING:
    from pathlib import Path

REPORTS = ("measures.json", "report.json")
"""What is taken from a directory without a recording, the first one that is there."""


def load(path: Path) -> Run:
    """The run of a recording, of a JSON report, or of the directory that holds one of them; raises DocumentError.

    Costs as much as measuring, if it is a recording.
    """
    file = path
    if path.is_dir():
        file = next((path / name for name in (NAME, *REPORTS) if (path / name).exists()), path / NAME)
    if file.suffix == ".json":
        return _from_report(file)
    return Run.of(str(path), measure_file(file))


def _from_report(file: Path) -> Run:
    def refused(reason: str) -> DocumentError:
        hint = f"name a recording, {NAME}, or the measures.json or report.json of a run that was recorded"
        return DocumentError(f"{file}: {reason}", hint=hint)

    try:
        document = orjson.loads(file.read_bytes())
    except OSError as error:
        raise refused(f"cannot be read: {error.strerror or error}") from error
    except orjson.JSONDecodeError as error:
        raise refused(f"is no JSON: {error}") from error
    given = document.get("measures") if isinstance(document, dict) else None
    if not isinstance(given, dict):
        raise refused("has no measures")
    try:
        measures = {name: _measure(name, given[name]) for name in all_names() if name in given}
        about = _about(document["about"]) if "about" in document else None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise refused(f"its measures cannot be read ({type(error).__name__}: {error})") from error
    if not measures:
        raise refused("has no measure that this knavtool knows")
    return Run(label=str(file), measures=measures, about=about)


def _measure(name: str, given: Any) -> Measure:
    value = given["value"]
    if given["unit"] != unit_of(name):
        raise ValueError(f"{name} is in {given['unit']}, not in {unit_of(name)}")
    return Measure(
        name=name,
        value=None if value is None else float(value),
        unit=given["unit"],
        n=int(given["n"]),
        why=str(given.get("why", "")),
    )


def _about(given: Any) -> About:
    return About(**{field.name: given[field.name] for field in fields(About) if field.name in given})
