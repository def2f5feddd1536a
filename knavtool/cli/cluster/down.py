"""`knavtool cluster down`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from knavtool.cli import options
from knavtool.cli.cluster import existing
from knavtool.cli.cluster.options import Engine, EngineChoice, Name, require_engine
from knavtool.cli.running import run_async
from knavtool.engines.local.state.layout import DEFAULT_NAME

if TYPE_CHECKING:
    from knavtool.engines.local.state.layout import ClusterFiles


def down(
    context: typer.Context,
    name: Name = DEFAULT_NAME,
    engine: EngineChoice = Engine.LOCAL,
    timeout: existing.DownTimeout = "5m",
    yes: existing.DownYes = False,
    kubeconfig: options.Kubeconfig = None,
    kube_context: options.KubeContext = None,
) -> None:
    """Stop and remove a local cluster; the previous context becomes current again.

    With `--engine existing`, remove what `cluster up` installed in the cluster of a context, and nothing else. At a
    terminal, the name of the context is asked for if the cluster has real nodes.
    """
    from knavtool.engines.local.state.layout import cluster_files

    require_engine(context, engine, local=("name",), existing=("timeout", "kube_context"))
    if engine is Engine.EXISTING:
        existing.down(options.target(context, kubeconfig, kube_context), timeout, yes=yes)
        return
    target = options.target(context, kubeconfig, None)
    files = cluster_files(name, target.environment)
    with files.locked():
        run_async(_down(target, files))


async def _down(target: options.Target, files: ClusterFiles) -> None:
    from knavtool.cli.progress import steps as progress
    from knavtool.engines.local.down import down as remove
    from knavtool.engines.local.state.kubeconfig import chosen_file
    from knavtool.engines.local.state.layout import cluster_names

    file = chosen_file(target.kubeconfig, target.environment)
    with progress(target.settings) as steps:
        found = await remove(files, kubeconfig_file=file, steps=steps)
    if not found:
        others = ", ".join(cluster_names(target.environment))
        print(f"there is no cluster {files.name}" + (f"; there is {others}" if others else ""))
