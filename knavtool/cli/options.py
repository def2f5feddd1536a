"""Options that several commands share, and the global settings of one call."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path
from typing import Annotated, Optional, TypeAlias

import typer

from knavtool.harness import target as target_


class LogFormat(StrEnum):
    """Format of progress on stderr."""

    TEXT = "text"
    JSON = "json"


class Output(StrEnum):
    """How data is written to stdout."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


Kubeconfig: TypeAlias = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--kubeconfig",
        envvar="KNAVTOOL_KUBECONFIG",
        help="Path to the kubeconfig file. Defaults to $KUBECONFIG, then ~/.kube/config.",
    ),
]
KubeContext: TypeAlias = Annotated[
    Optional[str],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--context", envvar="KNAVTOOL_CONTEXT", help="Name of the kubeconfig context. Defaults to the current one."
    ),
]
Settings: TypeAlias = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--set", metavar="NAME=VALUE", envvar="KNAVTOOL_SET", help="Set a variable of the workflows; repeatable."
    ),
]
Compat: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--compat",
        envvar="KNAVTOOL_COMPAT",
        help="Accept what Knavigator accepts: unknown fields, missing template parameters and such are warnings.",
    ),
]
AllowSaturated: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--allow-saturated",
        envvar="KNAVTOOL_ALLOW_SATURATED",
        help="Let thresholds pass although knavtool or the machine, not the scheduler, was the limit.",
    ),
]
NoPlugins: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--no-plugins",
        envvar="KNAVTOOL_NO_PLUGINS",
        help="Ignore task types of other installed packages.",
    ),
]
Prometheus: TypeAlias = Annotated[
    Optional[str],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--prometheus",
        metavar="URL",
        envvar="KNAVTOOL_PROMETHEUS_URL",
        help="URL of the Prometheus for CheckMetric. Defaults to that of the cluster.",
    ),
]
OutputFormat: TypeAlias = Annotated[
    Output, typer.Option("--output", "-o", envvar="KNAVTOOL_OUTPUT", help="Output format.")
]


def on_command_line(source: Enum | None) -> bool:
    """Whether a parameter of this source was given on the command line, not by the environment or a default."""
    return source is not None and source.name == "COMMANDLINE"


def given_besides(context: typer.Context, parameters: Collection[str]) -> list[str]:
    """The options of the command that were given on the command line, but for those of these parameters."""
    return [
        one.opts[0]
        for one in context.command.params
        if one.name and one.name not in parameters and on_command_line(context.get_parameter_source(one.name))
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Globals:
    """The options before the command's name."""

    kubeconfig: Path | None = None
    context: str | None = None
    verbose: int = 0
    log_format: LogFormat = LogFormat.TEXT


def settings(context: typer.Context) -> Globals:
    """The global options of this call."""
    found = context.find_object(Globals)
    return found if found is not None else Globals()


ValuesFile: TypeAlias = Annotated[
    Path,
    typer.Option("--file", "-f", envvar="KNAVTOOL_FILE", help="Path to the values file."),
]

TokenFile: TypeAlias = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--token-file",
        envvar="KNAVTOOL_TOKEN_FILE",
        help="File with the server's token. Defaults to $KNAVTOOL_TOKEN, then the token that `serve` generated here.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(target_.Target):
    """The cluster a command works on, and the settings of the call."""

    settings: Globals


def target(context: typer.Context, kubeconfig: Path | None, kube_context: str | None) -> Target:
    """Options after the command's name win over those before it."""
    chosen = settings(context)
    return Target(
        settings=chosen,
        kubeconfig=kubeconfig or chosen.kubeconfig,
        context=kube_context or chosen.context,
        environment=os.environ,
    )
