"""`knavtool nodes list`."""

from __future__ import annotations

import typer

from knavtool.cli import options
from knavtool.cli.output import print_rows
from knavtool.cli.running import run_async


def list_(
    context: typer.Context,
    output: options.OutputFormat = options.Output.TABLE,
    kubeconfig: options.Kubeconfig = None,
    kube_context: options.KubeContext = None,
) -> None:
    """List the virtual nodes that knavtool made."""
    run_async(_list(options.target(context, kubeconfig, kube_context), output))


async def _list(target: options.Target, output: options.Output) -> None:
    from knavtool.kube.connecting import connect
    from knavtool.nodes.inventory import list_nodes

    async with connect(kubeconfig=target.kubeconfig, context=target.context, environment=target.environment) as gateway:
        rows = [row async for row in list_nodes(gateway)]
    print_rows(rows, output)
