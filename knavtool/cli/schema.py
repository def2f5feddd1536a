"""`knavtool schema`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from knavtool import resources
from knavtool.cli import options
from knavtool.cli.task_types import task_types


class Name(StrEnum):
    """The schemas that ship with knavtool."""

    VALUES = "values"
    WORKFLOW = "workflow"
    COMPONENT = "component"
    CLUSTER = "cluster"
    BENCH = "bench"
    BENCH_RESULT = "bench-result"
    REPORT = "report"
    RECORDING = "recording"


def schema(
    name: Annotated[Name, typer.Argument(help="Name of the schema.")], no_plugins: options.NoPlugins = False
) -> None:
    """Print a JSON schema, for editors and other programs."""
    if name is Name.WORKFLOW:
        from knavtool.workflow.registry import schema_text

        print(schema_text(task_types(no_plugins=no_plugins)), end="")
        return
    print(resources.schema(name).read_text(encoding="utf-8"), end="")
