"""`knavtool nodes delete`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from knavtool.cli import options
from knavtool.cli.running import run_async
from knavtool.errors import UsageError


def delete(
    context: typer.Context,
    file: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads this at run time
        typer.Option("--file", "-f", envvar="KNAVTOOL_FILE", help="Delete the nodes that this values file lists."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", envvar="KNAVTOOL_ALL", help="Delete all virtual nodes that knavtool made.")
    ] = False,
    kubeconfig: options.Kubeconfig = None,
    kube_context: options.KubeContext = None,
) -> None:
    """Delete virtual nodes that knavtool made, never any other."""
    if (file is None) is not everything:
        raise UsageError("give either --file or --all")
    run_async(_delete(options.target(context, kubeconfig, kube_context), file))


async def _delete(target: options.Target, file: Path | None) -> None:
    from knavtool.cli.connection import choose
    from knavtool.cli.progress import steps as progress
    from knavtool.nodes.inventory import delete_nodes, our_names

    names: list[str] | None = None
    if file is not None:
        from knavtool.documents.values import load_values, node_names

        names = [name for entry in node_names(load_values(file).entries) for name in entry]
    place = choose(target)
    with progress(target.settings) as steps:
        steps.note(f"using {place}")
        async with place.connect() as gateway:
            deleted = await delete_nodes(gateway, await our_names(gateway) if names is None else names, steps=steps)
    print(f"{deleted} deleted")
