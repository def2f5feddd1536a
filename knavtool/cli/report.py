"""`knavtool report`."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from knavtool.cli import streams
from knavtool.errors import UsageError

if TYPE_CHECKING:
    from knavtool.measure.table import Measured


class Format(StrEnum):
    """What the report is written as."""

    HTML = "html"
    MD = "md"
    CSV = "csv"
    JSON = "json"


_NAMES = {Format.HTML: "report.html", Format.MD: "measures.md", Format.CSV: "tables", Format.JSON: "measures.json"}


def report(
    recording: Annotated[
        Path,
        typer.Argument(metavar="DIR|RECORDING", help="Directory that a run wrote its reports to, or its recording."),
    ],
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            "-f",
            envvar="KNAVTOOL_REPORT_FORMAT",
            help="A page with plots, a summary with pictures beside it, a directory of tables, or one document.",
        ),
    ] = Format.HTML,
    output: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--output",
            "-o",
            envvar="KNAVTOOL_REPORT_OUTPUT",
            help="File, or directory for csv; - is stdout. Defaults to "
            "report.html, measures.md, tables or measures.json beside the recording.",
        ),
    ] = None,
) -> None:
    """Make the report of a run again from its recording: plots, measures and tables."""
    from knavtool.measure.measuring import measure_file

    if output == Path("-") and format_ is Format.CSV:
        raise UsageError("--output -: csv is a directory of tables", hint="name a directory, or use --format json")
    measured = measure_file(recording)
    if output == Path("-"):
        print(_text(measured, format_), end="")
        return
    beside = recording if recording.is_dir() else recording.parent
    written = _write(measured, format_, output or beside / _NAMES[format_])
    streams.say(f"report: {written}")


def _text(measured: Measured, format_: Format) -> str:
    """A report of one file, without pictures beside it."""
    if format_ is Format.HTML:
        from knavtool.harness.programs import cache_directory
        from knavtool.report.html import render

        return render(measured, cache=cache_directory(os.environ))
    if format_ is Format.MD:
        from knavtool.report.measured import markdown_file

        return markdown_file.document(measured)
    from knavtool.report.measured import json_file

    return json_file.text(measured)


def _write(measured: Measured, format_: Format, output: Path) -> Path:
    """Write a report; returns where it is."""
    match format_:
        case Format.HTML:
            from knavtool.harness.programs import cache_directory
            from knavtool.report.html import write

            write(output, measured, cache=cache_directory(os.environ))
        case Format.MD:
            from knavtool.report.measured import markdown_file

            markdown_file.write(output, measured)
        case Format.CSV:
            from knavtool.report.measured import csv_files

            csv_files.write(output, measured)
        case Format.JSON:
            from knavtool.report.measured import json_file

            json_file.write(output, measured)
    return output
