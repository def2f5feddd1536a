"""`knavtool cluster logs`."""

from __future__ import annotations

import os
from typing import Annotated, Optional

import typer

from knavtool.cli import options
from knavtool.cli.cluster.options import Engine, EngineChoice, Name
from knavtool.engines.local.state.layout import DEFAULT_NAME
from knavtool.errors import UsageError


def logs(
    context: typer.Context,
    component: Annotated[str, typer.Argument(help="Name of the process, as in `cluster status`.")],
    name: Name = DEFAULT_NAME,
    engine: EngineChoice = Engine.LOCAL,
    tail: Annotated[
        Optional[int],  # noqa: UP045 - typer reads this at run time
        typer.Option("--tail", envvar="KNAVTOOL_TAIL", min=0, help="Print only the last N lines."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", envvar="KNAVTOOL_FOLLOW", help="Print new lines until interrupted.")
    ] = False,
) -> None:
    """Print the log of one process of a local cluster."""
    from knavtool.engines.local.state.layout import cluster_files

    if engine is Engine.EXISTING:
        message = "cluster logs reads files of a local cluster; it does not go with --engine existing"
        raise UsageError(message, hint="`kubectl logs` prints those of pods")
    files = cluster_files(name, options.target(context, None, None).environment)
    if not files.directory.is_dir():
        raise files.missing()
    known = sorted(path.stem for path in files.directory.glob("logs/*.log"))
    if component not in known:
        raise UsageError(f"cluster {name} has no log of {component}", hint=f"there is {', '.join(known)}")
    # `tail` is on every system, does not load large logs into memory, and knows how to wait for more.
    lines = "+1" if tail is None else str(tail)
    os.execvp("tail", ["tail", "-n", lines, *(["-f"] if follow else []), str(files.log(component))])  # noqa: S606
