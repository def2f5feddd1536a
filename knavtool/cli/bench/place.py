"""Where the repetitions of `knavtool bench` take place: local clusters, or the cluster of a context."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import typer

from knavtool.cli import options
from knavtool.cli.cluster.existing import require_consent
from knavtool.cli.connection import choose, chosen_for_helm
from knavtool.cli.running import run_async

if TYPE_CHECKING:
    from knavtool.bench.asking import Asked
    from knavtool.bench.directory import Directory
    from knavtool.bench.planning import Planned
    from knavtool.bench.repeating import Place
    from knavtool.cli import connection
    from knavtool.events import Steps

    Opened: TypeAlias = Callable[[Planned, Steps], AbstractAsyncContextManager[Place]]


def in_cluster(target: options.Target) -> dict[str, Any]:
    """Which cluster it is, as a bench remembers it."""
    kubeconfig = str(target.kubeconfig.absolute()) if target.kubeconfig is not None else None
    return {"existing": True, "kubeconfig": kubeconfig, "context": choose(target).context}


def require_clusters(asked: Asked, bench: Planned) -> None:
    """Raise UsageError if a contender cannot have the cluster that it wants."""
    if asked.existing:
        from knavtool.bench.existing import require_existing

        require_existing(bench.file)
    else:
        from knavtool.bench.local import require_local

        require_local(bench.file, os.environ)


@contextmanager
def place_of(context: typer.Context, asked: Asked, directory: Directory, *, yes: bool) -> Iterator[Opened]:
    """What opens the place of a bench; asks first if that is a cluster with real nodes."""
    if not asked.existing:
        from knavtool.bench.local import local_place

        yield lambda bench, steps: local_place(directory, os.environ)  # noqa: ARG005 - it has its own steps
        return
    from knavtool.bench.existing import existing_place

    kubeconfig = Path(asked.kubeconfig) if asked.kubeconfig is not None else None
    with chosen_for_helm(options.target(context, kubeconfig, asked.context)) as place:
        if not yes and (nodes := run_async(_real_nodes(place))):
            require_consent(place, f"has {nodes} real nodes", "run a bench")
        yield lambda bench, steps: existing_place(bench, directory.path, place.target, steps=steps)


async def _real_nodes(place: connection.Place) -> int:
    from knavtool.engines.existing.plan import real_nodes

    async with place.connect() as client:
        return await real_nodes(client)
