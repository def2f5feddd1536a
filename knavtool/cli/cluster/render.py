"""`knavtool cluster render`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Optional

import typer

from knavtool.cli import options
from knavtool.cli.cluster import charts, existing
from knavtool.cli.cluster.options import FilesFrom, With
from knavtool.cli.running import run_async


def render(
    context: typer.Context,
    output_dir: Annotated[
        Path, typer.Option("--output-dir", envvar="KNAVTOOL_OUTPUT_DIR", help="Directory to write to.")
    ],
    with_: With = None,
    without: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads this at run time
        typer.Option("--without", envvar="KNAVTOOL_WITHOUT", metavar="NAME,...", help="Components to leave out."),
    ] = None,
    prometheus: Annotated[
        bool,
        typer.Option(
            "--prometheus/--no-prometheus", envvar="KNAVTOOL_PROMETHEUS", help="Include kube-prometheus-stack."
        ),
    ] = True,
    chart: charts.Charts = None,
    values: charts.Values = None,
    files_from: FilesFrom = None,
    grafana: existing.Grafana = False,
    kube_version: Annotated[
        str,
        typer.Option(
            "--kube-version",
            envvar="KNAVTOOL_KUBE_VERSION",
            metavar="VERSION",
            help="Kubernetes version to render charts for. Defaults to that of local clusters.",
        ),
    ] = "",
) -> None:
    """Write what `cluster up --engine existing` would install as files for GitOps, without a cluster.

    Each component is a directory for Kustomize; for a chart, with its values file and where the chart is. The files of
    an earlier call are replaced, and no other ones.
    """
    target = options.target(context, None, None)
    run_async(
        _render(
            target,
            output_dir,
            with_ or [],
            without or [],
            prometheus=prometheus,
            given=chart or [],
            values=values or [],
            directories=files_from or [],
            grafana=grafana,
            kube_version=kube_version,
        )
    )


async def _render(
    target: options.Target,
    output_dir: Path,
    with_: Sequence[str],
    without: Sequence[str],
    *,
    prometheus: bool,
    given: Sequence[str],
    values: Sequence[str],
    directories: Sequence[str],
    grafana: bool,
    kube_version: str,
) -> None:
    """fetch > render > write."""
    from knavtool.catalogue.catalogue import Catalogue, parse_wanted
    from knavtool.cli.progress import steps as progress
    from knavtool.engines.existing.gitops import render_tree
    from knavtool.engines.existing.prepare import Preparation
    from knavtool.harness.existing import chosen
    from knavtool.harness.programs import helm as find_helm
    from knavtool.harness.programs import toolchain_from_environment
    from knavtool.render.output import write_tree

    catalogue = Catalogue.load(target.environment, directories=directories)
    left_out = parse_wanted(without, "--without")
    components = chosen(catalogue, parse_wanted(with_), left_out, prometheus=prometheus)
    components, local = charts.with_charts(components, given)
    with progress(target.settings) as steps:
        preparation = Preparation(
            toolchain=toolchain_from_environment(target.environment),
            helm=await find_helm(target, steps) if any(one.chart is not None for one in components) else None,
            local=local,
            values=charts.given_values(values, components),
            options={"grafana"} if grafana else (),
            kube_version=kube_version,
            steps=steps,
        )
        files = await render_tree(components, preparation)
    write_tree(files, output_dir)
