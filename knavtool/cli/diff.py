"""`knavtool diff`."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from knavtool.cli import options, streams
from knavtool.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knavtool.measure.comparing import Change, Comparison
    from knavtool.report.compared.cells import Judged


class Format(StrEnum):
    """What the comparison is written as."""

    TABLE = "table"
    JSON = "json"
    MD = "md"
    HTML = "html"


_STDOUT = Path("-")
_RUN = "Directory that a run wrote its reports to, its recording, or a measures.json or report.json."


def diff(
    before: Annotated[Path, typer.Argument(metavar="A", help=f"The run to compare with. {_RUN}")],
    after: Annotated[Path, typer.Argument(metavar="B", help="The run to compare.")],
    format_: Annotated[
        Format,
        typer.Option("--format", "-f", envvar="KNAVTOOL_DIFF_FORMAT", help="The page has plots of both runs."),
    ] = Format.TABLE,
    output: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--output",
            "-o",
            envvar="KNAVTOOL_DIFF_OUTPUT",
            help="File to write; - is stdout. Defaults to diff.html for html, else to stdout.",
        ),
    ] = None,
    every: Annotated[
        bool,
        typer.Option("--all", envvar="KNAVTOOL_DIFF_ALL", help="Also show what did not move, or is unknown."),
    ] = False,
    measure: Annotated[
        Optional[list[str]],  # noqa: UP045 - see above
        typer.Option(
            "--measure",
            metavar="NAME",
            envvar="KNAVTOOL_DIFF_MEASURE",
            help="Show only this measure, or all statistics of one such as gang.wait; repeatable.",
        ),
    ] = None,
    threshold: Annotated[
        Optional[list[str]],  # noqa: UP045 - see above
        typer.Option(
            "--threshold",
            metavar="MEASURE<=DIFFERENCE",
            envvar="KNAVTOOL_DIFF_THRESHOLD",
            help="What a measure of B must be beside that of A, for example 'gang.wait.p95<=+10%' or "
            "'makespan<=+5s'; repeatable.",
        ),
    ] = None,
    allow_saturated: options.AllowSaturated = False,
) -> None:
    """Say which measures moved from one run to another, in a table or as a page with plots of both."""
    from knavtool.measure.comparing import chosen, compare, matching
    from knavtool.measure.loading import load
    from knavtool.measure.relative import judge_relative, parse_relative

    # What is wrong with the options is told before recordings are read.
    thresholds = [parse_relative(text, allow_saturated=allow_saturated) for text in threshold or ()]
    names = matching(measure) if measure else None
    comparison = compare(load(before), load(after))
    changes = chosen(comparison, names, every=every or format_ is Format.JSON)
    judged = [(one, judge_relative(one, comparison)) for one in thresholds]
    if output is None and format_ is Format.HTML:
        output = Path("diff.html")
    content = _text(comparison, changes, judged, format_)
    if output is None or output == _STDOUT:
        print(content, end="")
    else:
        from knavtool.report import files

        files.write(output, content)
        streams.say(f"comparison: {output}")
    for one, verdict in judged:
        streams.say(f"{'ok' if verdict.passed else 'failed'}: {one}: {verdict.message}")
    if not all(verdict.passed for _, verdict in judged):
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _text(comparison: Comparison, changes: Sequence[Change], judged: Sequence[Judged], format_: Format) -> str:
    match format_:
        case Format.TABLE:
            from knavtool.report.compared.lines import lines

            return "".join(f"{line}\n" for line in lines(comparison, changes))
        case Format.JSON:
            from knavtool.report.compared import json_file

            return json_file.text(comparison, changes, judged)
        case Format.MD:
            from knavtool.report.compared import markdown_file

            return markdown_file.document(comparison, changes, judged)
        case Format.HTML:
            from knavtool.harness.programs import cache_directory
            from knavtool.report.html.comparison import render

            return render(comparison, changes, judged, cache=cache_directory(os.environ))
