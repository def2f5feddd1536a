"""`knavtool validate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from knavtool.errors import DocumentError, InvalidDocument, Violation

if TYPE_CHECKING:
    from collections.abc import Sequence


def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Values files and workflow files.")],
) -> None:
    """Check files and print every error as file:line:column: path: message."""
    wrong: list[Violation] = []
    for file in files:
        found = _violations(file)
        if not found:
            print(f"{file}: ok", file=sys.stderr)
        wrong += found
    if wrong:
        raise InvalidDocument(wrong)


def _violations(file: Path) -> Sequence[Violation]:
    """What is wrong with one file; its kind is told by its top-level fields."""
    from knavtool.documents.values import load_values
    from knavtool.documents.workflow import load_workflow
    from knavtool.documents.yaml import load

    try:
        document = load(file)
        if not isinstance(document.data, dict):
            return [document.violation((), "expected a map with tasks (a workflow) or nodes (a values file)")]
        if "tasks" in document.data:
            load_workflow(file)
        elif "nodes" in document.data:
            load_values(file)
        else:
            message = "neither a workflow (no field 'tasks') nor a values file (no field 'nodes')"
            return [document.violation((), message)]
    except InvalidDocument as error:
        return error.violations
    except DocumentError as error:
        return [Violation(str(file), 0, 0, "", error.message.removeprefix(f"{file}: "))]
    return []
