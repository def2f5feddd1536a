"""Options that several commands share, and the global settings of one call."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional, TypeAlias

import typer


class LogFormat(StrEnum):
    """How progress is written to stderr."""

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
        help="The kubeconfig file; otherwise $KUBECONFIG, then ~/.kube/config.",
    ),
]
KubeContext: TypeAlias = Annotated[
    Optional[str],  # noqa: UP045 - typer reads this at run time
    typer.Option("--context", envvar="KNAVTOOL_CONTEXT", help="The kubeconfig context; otherwise the current one."),
]
Settings: TypeAlias = Annotated[
    Optional[list[str]],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--set", metavar="NAME=VALUE", envvar="KNAVTOOL_SET", help="Give a variable of the workflows a value."
    ),
]
Compat: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--compat",
        envvar="KNAVTOOL_COMPAT",
        help="Take what Knavigator would run: what it accepts without a word, such as unknown fields and missing "
        "template parameters, is a warning.",
    ),
]
NoPlugins: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--no-plugins",
        envvar="KNAVTOOL_NO_PLUGINS",
        help="Leave out the task types that other installed packages bring.",
    ),
]
Prometheus: TypeAlias = Annotated[
    Optional[str],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--prometheus",
        metavar="URL",
        envvar="KNAVTOOL_PROMETHEUS_URL",
        help="The Prometheus that CheckMetric asks; otherwise that of the cluster.",
    ),
]
OutputFormat: TypeAlias = Annotated[
    Output, typer.Option("--output", "-o", envvar="KNAVTOOL_OUTPUT", help="How to write the list to stdout.")
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
    typer.Option("--file", "-f", envvar="KNAVTOOL_FILE", help="The values file that lists the nodes."),
]

TokenFile: TypeAlias = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads this at run time
    typer.Option(
        "--token-file",
        envvar="KNAVTOOL_TOKEN_FILE",
        help="The file with the server's token; otherwise $KNAVTOOL_TOKEN, then the one that `serve` made here.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The cluster a command works on, and the settings of the call."""

    settings: Globals
    kubeconfig: Path | None
    context: str | None
    environment: Mapping[str, str]


def target(context: typer.Context, kubeconfig: Path | None, kube_context: str | None) -> Target:
    """Options after the command's name win over those before it."""
    chosen = settings(context)
    return Target(
        settings=chosen,
        kubeconfig=kubeconfig or chosen.kubeconfig,
        context=kube_context or chosen.context,
        environment=os.environ,
    )
