"""`knavtool schema`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from knavtool import resources


class Name(StrEnum):
    """The schemas that ship with knavtool."""

    VALUES = "values"
    WORKFLOW = "workflow"
    COMPONENT = "component"
    REPORT = "report"


def schema(name: Annotated[Name, typer.Argument(help="Which schema.")]) -> None:
    """Print a JSON schema, for editors and other programs."""
    print(resources.schema(name).read_text(encoding="utf-8"), end="")
