"""`knavtool bench compare`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from knavtool.cli import streams
from knavtool.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.bench.comparing import Differences

_HEADER = ("SCENARIO", "CONTENDER", "MEASURE", "OLD", "NEW", "N", "COMPARED")


class Format(StrEnum):
    """What the comparison is written as."""

    TABLE = "table"
    MD = "md"
    JSON = "json"


def compare(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="Directory of a bench, or its result.json.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Another one of the same workload.")],
    worse: Annotated[
        Optional[str],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--worse-than",
            metavar="PERCENT",
            envvar="KNAVTOOL_WORSE_THAN",
            help="Exit with 1 if a measure is worse by more, for example 10%.",
        ),
    ] = None,
    other_machine: Annotated[
        bool,
        typer.Option(
            "--other-machine", envvar="KNAVTOOL_OTHER_MACHINE", help="Compare results of different machines too."
        ),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", envvar="KNAVTOOL_STRICT", help="Exit with 1 also if too few repetitions cannot tell."),
    ] = False,
    format_: Annotated[
        Format, typer.Option("--format", "-f", envvar="KNAVTOOL_COMPARE_FORMAT", help="Format of the comparison.")
    ] = Format.TABLE,
) -> None:
    """Say what moved for each contender from one result of a bench to another."""
    from knavtool.bench import json_file
    from knavtool.bench.comparing import as_data, differences
    from knavtool.report.text import in_columns

    found = differences(json_file.load(old), json_file.load(new), worse=_share(worse), other_machine=other_machine)
    if format_ is Format.JSON:
        print(json.dumps(as_data(found), indent=2))
    else:
        print("\n".join(_markdown(found) if format_ is Format.MD else in_columns(_lines(found))))
        if format_ is Format.TABLE:
            for caution in found.cautions:
                streams.say(f"note: {caution}")
    if found.failed or (strict and not found.certain):
        raise typer.Exit(int(ExitCode.CHECK_FAILED))


def _share(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text.removesuffix("%")) / 100
    except ValueError:
        raise UsageError(f"--worse-than {text}: expected a percentage such as 10%") from None


def _lines(found: Differences) -> list[tuple[str, ...]]:
    from knavtool.bench.comparing import rows

    lines = [_HEADER, *rows(found)]
    several = len({one[0] for one in lines[1:]}) > 1
    return lines if several else [one[1:] for one in lines]


def _markdown(found: Differences) -> Iterator[str]:
    from knavtool.report.measured.markdown_file import inline

    for caution in found.cautions:
        yield f"> {inline(caution)}"
    if found.cautions:
        yield ""
    header, *lines = _lines(found)
    yield f"| {' | '.join(name.lower() for name in header)} |"
    yield f"|{'---|' * len(header)}"
    for row in lines:
        yield f"| {' | '.join(map(inline, row))} |"
