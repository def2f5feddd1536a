"""Options that the commands of `knavtool cluster` share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

DEFAULT_NAME = "default"
Name: TypeAlias = Annotated[
    str,
    typer.Option("--name", envvar="KNAVTOOL_NAME", help="The cluster; its context is knavtool-NAME."),
]
