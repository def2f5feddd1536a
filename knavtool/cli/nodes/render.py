"""`knavtool nodes render`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

from knavtool.cli import options
from knavtool.cli.running import run_async
from knavtool.errors import UsageError


class Format(StrEnum):
    """What `nodes render` writes."""

    MANIFESTS = "manifests"
    CHART = "chart"
    KUSTOMIZE = "kustomize"


def render(
    context: typer.Context,
    file: options.ValuesFile,
    format_: Annotated[
        Format,
        typer.Option("--format", envvar="KNAVTOOL_FORMAT", help="Plain manifests, a chart, or a Kustomize base."),
    ] = Format.MANIFESTS,
    output_dir: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads this at run time
        typer.Option(
            "--output-dir",
            envvar="KNAVTOOL_OUTPUT_DIR",
            help="Directory to write to. Manifests go to stdout by default.",
        ),
    ] = None,
) -> None:
    """Generate the nodes of a values file, without a cluster."""
    if output_dir is None and format_ is not Format.MANIFESTS:
        raise UsageError(f"--format {format_} writes several files", hint="give --output-dir")
    run_async(_render(options.target(context, None, None), file, format_, output_dir))


async def _render(target: options.Target, file: Path, format_: Format, output_dir: Path | None) -> None:
    """validate > render > write."""
    import sys

    from knavtool.cli.progress import steps as progress
    from knavtool.documents.values import load_values
    from knavtool.harness.programs import helm as helm_program
    from knavtool.nodes.ownership import owned
    from knavtool.render.nodes import render_nodes
    from knavtool.render.output import write_chart, write_kustomize, write_manifests

    values = load_values(file)
    with progress(target.settings) as steps:
        if format_ is Format.CHART and output_dir is not None:
            write_chart(values.entries, output_dir)
            return
        nodes = owned(await render_nodes(await helm_program(target, steps), values.entries))
    if output_dir is None:
        sys.stdout.writelines(nodes.yaml())
    elif format_ is Format.KUSTOMIZE:
        write_kustomize(nodes, output_dir)
    else:
        write_manifests(nodes, output_dir)
