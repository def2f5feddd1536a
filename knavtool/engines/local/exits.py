"""Whether processes beside a local cluster end while something runs on it."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from knavtool.engines.local.plan import local_cluster
from knavtool.engines.local.processes import processes, supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from knavtool.events import Steps


@asynccontextmanager
async def warn_about_exits(environment: Mapping[str, str], server: str, steps: Steps) -> AsyncIterator[None]:
    """Run the block, and warn of each process that ends meanwhile: at once, and of what became of it at the end.

    `server` is the URL of the API server; for a cluster that is not a local one of this user nothing is watched. The
    keeper starts a process again; what was asked of a controller in between may have failed because of that.
    """
    files = local_cluster(server, environment)
    if files is None:
        yield
        return
    before = supervisor.states(files)
    watching = [
        asyncio.create_task(_warn_of_the_end(name, state.child, steps), name=f"attend-{name}")
        for name, state in before.items()
        if state.child is not None
    ]
    try:
        yield
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        for name, state in supervisor.states(files).items():
            restarts = state.restarts - before[name].restarts if name in before else 0
            if restarts > 0:
                times = "once" if restarts == 1 else f"{restarts} times"
                steps.note(f"{name} was started again {times}; it had ended with {state.last_exit}", warning=True)
            elif state.child is None and name in before and before[name].child is not None:
                hint = f"`knavtool cluster up --name {files.name}` starts it again"
                steps.note(f"{name} has ended ({state.last_exit}); {hint}", warning=True)


async def _warn_of_the_end(name: str, number: int, steps: Steps) -> None:
    try:
        descriptor = os.pidfd_open(number)
    except ProcessLookupError:
        return
    try:
        await processes.readable(descriptor)
    finally:
        os.close(descriptor)
    steps.note(f"{name} (process {number}) has ended; what needs it may fail until it was started again", warning=True)
