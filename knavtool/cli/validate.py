"""`knavtool validate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from knavtool.errors import ExitCode, InvalidDocument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knavtool.errors import Violation

_KINDS = {"tasks": "a workflow", "nodes": "a values file"}


def validate(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Values and workflow files: paths, directories, comma lists, {a,b}."),
    ],
) -> None:
    """Check files; every fault of all of them is one line on stderr: file:line:column: path: message."""
    from knavtool.documents.paths import find_paths

    found, faults = find_paths(files)
    if faults:
        print(*faults, sep="\n", file=sys.stderr)
    for file in dict.fromkeys(found):
        wrong = [str(violation) for violation in _violations(file)]
        faults += wrong
        # Nothing stands before a fault, so that editors find the place.
        print(*(wrong or [f"{file}: ok"]), sep="\n", file=sys.stderr)
    if faults:
        raise typer.Exit(int(ExitCode.BAD_INPUT))


def _violations(file: Path) -> Sequence[Violation]:
    """What is wrong with one file; its kind is told by its top-level fields."""
    from knavtool.documents.schema import nearest
    from knavtool.documents.values import parse_values
    from knavtool.documents.workflow import parse_workflow
    from knavtool.documents.yaml import load

    try:
        document = load(file)
        data = document.data
        if isinstance(data, dict) and "tasks" in data:
            parse_workflow(document, file)
        elif isinstance(data, dict) and "nodes" in data:
            parse_values(document)
        else:
            expected = " or ".join(f"{kind} (with the field {field!r})" for field, kind in _KINDS.items())
            near = next(filter(None, (nearest(str(key), _KINDS) for key in data)), "") if isinstance(data, dict) else ""
            return [document.violation((), f"expected {expected}{near}")]
    except InvalidDocument as error:
        return error.violations
    return []
