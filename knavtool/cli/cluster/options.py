"""Options that the commands of `knavtool cluster` share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Optional, TypeAlias

import typer

DEFAULT_NAME = "default"
Name: TypeAlias = Annotated[
    str,
    typer.Option("--name", envvar="KNAVTOOL_NAME", help="The cluster; its context is knavtool-NAME."),
]


class Engine(StrEnum):
    """Where a control plane comes from."""

    LOCAL = "local"
    EXISTING = "existing"


EngineChoice: TypeAlias = Annotated[
    Engine,
    typer.Option(
        "--engine",
        envvar="KNAVTOOL_ENGINE",
        help="Where the control plane comes from: processes of this machine, or a cluster that exists.",
    ),
]
With: TypeAlias = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--with",
        envvar="KNAVTOOL_WITH",
        metavar="NAME[=VERSION],...",
        help="Components of the catalogue to add: `knavtool components list` shows them.",
    ),
]
FilesFrom: TypeAlias = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--files-from",
        envvar="KNAVTOOL_FILES_FROM",
        metavar="NAME=DIR",
        help="Read the manifests of a component in this checkout of its project; repeat it for more.",
    ),
]
