"""`knavtool cluster up --from`: a new cluster from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.cli.cluster.cluster_file import Picker
from knavtool.cli.options import given_besides
from knavtool.cli.running import run_async
from knavtool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import typer

    from knavtool.cli.options import Target
    from knavtool.harness.clusters import Request

_WITH = frozenset({"from_", "name", "port", "binary", "timeout", "kubeconfig", "engine"})
"""Parameters of `up` that a saved cluster does not answer."""


def up_again(
    context: typer.Context, target: Target, file: Path, port: int | None, binaries: Sequence[str], timeout: float
) -> None:
    """Start a new cluster from the file. Raises UsageError for other options, or if there is one of that name."""
    from knavtool.engines.local import saved
    from knavtool.engines.local.state import record
    from knavtool.engines.local.state.kubeconfig import chosen_file
    from knavtool.engines.local.state.layout import cluster_files
    from knavtool.harness.clusters import Request, wanted_again

    if given := given_besides(context, _WITH):
        hint = f"the file says what the cluster has; another `cluster up` with {given[0]} can change it then"
        raise UsageError(f"{', '.join(given)} does not go with --from", hint=hint)
    found = saved.load(file)
    chosen = Picker(context)("name", context.params["name"], found.name)
    files = cluster_files(chosen, target.environment)
    if record.load_whole(files) is not None:
        hint = f"`knavtool cluster down --name {chosen}` first, or give the new cluster another --name"
        raise UsageError(f"cluster {chosen} exists; --from starts a new one", hint=hint)
    wanted = wanted_again(found, chosen_file(target.kubeconfig, target.environment), port=port)
    request = Request(files=files, wanted=wanted, binaries=binaries, saved=found)
    with files.locked():
        run_async(_up(target, request, timeout))


async def _up(target: Target, request: Request, timeout: float) -> None:
    from knavtool.cli.progress import steps as progress
    from knavtool.harness.clusters import prepare, start

    prepared = prepare(request, target.environment)
    with progress(target.settings) as steps:
        await start(prepared, target.environment, timeout=timeout, steps=steps)
