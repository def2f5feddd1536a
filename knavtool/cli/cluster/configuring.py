"""Options of `cluster up` that change what a component is configured and started with."""

from __future__ import annotations

from typing import Annotated, Optional, TypeAlias

import typer

NAMES = ("config", "replace", "set_", "args", "env", "reset")
"""The parameters of `up` that these are."""

Config: TypeAlias = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--config",
        envvar="KNAVTOOL_COMPONENT_CONFIG",
        metavar="NAME=FILE",
        help="Merge a file over the configuration of a component or of kube-scheduler; repeatable.",
    ),
]
Replace: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--replace",
        envvar="KNAVTOOL_COMPONENT_REPLACE",
        help="Take the files of --config whole; ${port_...} and such are filled in.",
    ),
]
Set: TypeAlias = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--set",
        envvar="KNAVTOOL_COMPONENT_SET",
        metavar="NAME.PATH=VALUE",
        help="Set one field of a configuration, such as kube-scheduler.scoring=MostAllocated; repeatable.",
    ),
]
Args: TypeAlias = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--args",
        envvar="KNAVTOOL_COMPONENT_ARGS",
        metavar="NAME=--FLAG=VALUE",
        help="Start a process with this flag, or without it if written as --FLAG-; repeatable.",
    ),
]
Env: TypeAlias = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--env",
        envvar="KNAVTOOL_COMPONENT_ENV",
        metavar="NAME=KEY=VALUE",
        help="Start a process with this variable, or without it if written as KEY-; repeatable.",
    ),
]
Reset: TypeAlias = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--reset",
        envvar="KNAVTOOL_COMPONENT_RESET",
        metavar="NAME,...",
        help="Drop what earlier calls set for a component.",
    ),
]
