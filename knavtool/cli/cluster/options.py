"""Options that the commands of `knavtool cluster` share."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Optional, TypeAlias

import typer

from knavtool.cli.options import on_command_line
from knavtool.errors import UsageError

Name: TypeAlias = Annotated[
    str,
    typer.Option("--name", envvar="KNAVTOOL_NAME", help="Name of the cluster; its context is knavtool-NAME."),
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
        help="Use a control plane of local processes, or an existing cluster.",
    ),
]
With: TypeAlias = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--with",
        envvar="KNAVTOOL_WITH",
        metavar="NAME[=VERSION],...",
        help="Components to add, as NAME or NAME=VERSION; see `knavtool components list`.",
    ),
]
KubeVersion: TypeAlias = Annotated[
    Optional[str],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--kube-version",
        envvar="KNAVTOOL_KUBE_VERSION",
        metavar="VERSION",
        help="Release of Kubernetes, such as v1.36.3 or 1.36; see `knavtool toolchain list --all`.",
    ),
]
FilesFrom: TypeAlias = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--files-from",
        envvar="KNAVTOOL_FILES_FROM",
        metavar="NAME=DIR",
        help="Read the manifests of a component from a checkout of its project; repeatable.",
    ),
]
SourceFrom: TypeAlias = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--source-from",
        envvar="KNAVTOOL_SOURCE_FROM",
        metavar="NAME=DIR",
        help="Build the programs of a component in a checkout, and read its manifests there; repeatable.",
    ),
]


def require_engine(
    context: typer.Context, engine: Engine, *, local: Iterable[str] = (), existing: Iterable[str] = ()
) -> None:
    """Refuse options of the command line that are for the other engine; both sets are names of parameters.

    The environment may say more: its variables are for all commands.
    """
    others, where = (local, "--engine local") if engine is Engine.EXISTING else (existing, "--engine existing")
    options = {one.name: one.opts[0] for one in context.command.params}
    given = [options[name] for name in others if on_command_line(context.get_parameter_source(name))]
    before = on_command_line(context.find_root().get_parameter_source("kube_context"))
    if before and "kube_context" in others and "--context" not in given:
        given.append("--context")
    if given:
        goes = "goes" if len(given) == 1 else "go"
        hint = f"leave it out, or choose the engine with {where}" if len(given) == 1 else f"these are for {where}"
        raise UsageError(f"{', '.join(given)} {goes} with {where} only, not with --engine {engine}", hint=hint)
