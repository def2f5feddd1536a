"""`knavtool cluster status`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from knavtool.cli import options
from knavtool.cli.cluster import existing
from knavtool.cli.cluster.options import Engine, EngineChoice, Name, require_engine
from knavtool.cli.output import print_rows
from knavtool.cli.running import run_async
from knavtool.engines.local.state.layout import DEFAULT_NAME
from knavtool.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.engines.local.state.layout import ClusterFiles


def status(
    context: typer.Context,
    name: Name = DEFAULT_NAME,
    engine: EngineChoice = Engine.LOCAL,
    output: options.OutputFormat = options.Output.TABLE,
    kubeconfig: options.Kubeconfig = None,
    kube_context: options.KubeContext = None,
) -> None:
    """List the processes of a cluster and their health; exit code 4 if one is unhealthy or `up` did not finish.

    With `--engine existing`, list the components that `cluster up` installed in the cluster of a context.
    """
    from knavtool.engines.local.state.layout import cluster_files

    require_engine(context, engine, local=("name",), existing=("kubeconfig", "kube_context"))
    if engine is Engine.EXISTING:
        if not existing.status(options.target(context, kubeconfig, kube_context), output):
            raise typer.Exit(int(ExitCode.ENGINE_FAILED))
        return
    environment = options.target(context, None, None).environment
    if not run_async(_status(cluster_files(name, environment), environment, output)):
        raise typer.Exit(int(ExitCode.ENGINE_FAILED))


async def _status(files: ClusterFiles, environment: Mapping[str, str], output: options.Output) -> bool:
    from knavtool.catalogue.catalogue import Catalogue
    from knavtool.engines.local.status import require_finished
    from knavtool.engines.local.status import status as look

    catalogue = Catalogue.load(environment)
    rows = await look(files, catalogue)
    print_rows(rows, output)
    for row in rows:
        if row.reason:
            print(f"{row.component} is {row.state}: {row.reason}; its log: {row.log}", file=sys.stderr)
    require_finished(files, catalogue)
    return all(row.state == "healthy" for row in rows)
