"""The running processes of the control plane: noticed when they end, and started again one at a time."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.engines.local.control_plane import kwokctl
from knavtool.engines.local.control_plane.settings import PROCESSES
from knavtool.engines.local.processes import processes
from knavtool.errors import NotFound, ProcessDied
from knavtool.kube.resource import LEASES
from knavtool.taskgroup import task_group

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from knavtool.engines.local.state.layout import ClusterFiles
    from knavtool.kube.gateway import Gateway

_PAUSE = 0.05
_ELECTED = frozenset({"kube-controller-manager", "kube-scheduler"})
# The controller manager waits ten seconds for it.
_IMPATIENT = "failed to wait for apiserver being healthy"


@contextlib.asynccontextmanager
async def unless_dead(files: ClusterFiles, environment: Mapping[str, str]) -> AsyncIterator[set[str]]:
    """Run the block; ProcessDied at once if a process of the control plane ends meanwhile.

    What the block puts into the set that it is given may end, and is watched again when it has another number. What
    has ended because the API server was not ready in time, which is no fault on a busy machine, is started again.
    """
    replaced: set[str] = set()
    async with task_group() as group:
        task = group.create_task(_dead(files, environment, replaced), name="unless-dead")
        yield replaced
        task.cancel()


async def _dead(files: ClusterFiles, environment: Mapping[str, str], replaced: set[str]) -> None:
    """Wait until the processes have pid files, then until one of them ends."""
    while not (numbers := processes.recorded(files)).keys() >= set(PROCESSES):  # noqa: ASYNC110
        # kwokctl writes them within a second of its start, and tells nobody.
        await asyncio.sleep(_PAUSE)
    async with asyncio.TaskGroup() as group:
        for name in PROCESSES:
            group.create_task(_until_dead(files, environment, name, numbers[name], replaced))


async def _until_dead(
    files: ClusterFiles, environment: Mapping[str, str], name: str, number: int, replaced: set[str]
) -> None:
    while True:
        try:
            async with processes.watched(files, {name: number}):
                await asyncio.get_running_loop().create_future()
        except ProcessDied:
            if name not in replaced:
                if _IMPATIENT not in processes.tail(files.log(name), 1):
                    raise
                _start(files, name, environment)
        while (now := processes.recorded(files).get(name, number)) == number:  # noqa: ASYNC110
            await asyncio.sleep(_PAUSE)
        replaced.discard(name)
        number = now


async def replace_process(
    files: ClusterFiles, name: str, gateway: Gateway, *, environment: Mapping[str, str], replaced: set[str]
) -> None:
    """End a process of the control plane and start it with the same arguments; `replaced` is that of `unless_dead`."""
    replaced.add(name)
    if (number := processes.running(files).get(name)) is not None:
        await processes.end([number])
    # Where elections are held, the new one would wait until the lease of the dead one has ended.
    if name in _ELECTED:
        with contextlib.suppress(NotFound):
            await gateway.delete(LEASES, name, namespace="kube-system")
    _start(files, name, environment)


def start_dead(files: ClusterFiles, *, environment: Mapping[str, str]) -> list[str]:
    """Start those processes of the control plane that do not run; returns their names.

    Where elections are held, a process ends when it has lost its own because the API server was away.
    """
    alive = processes.running(files)
    dead = [name for name in PROCESSES if name not in alive]
    for name in dead:
        _start(files, name, environment)
    return dead


def _start(files: ClusterFiles, name: str, environment: Mapping[str, str]) -> None:
    """Start a process as kwokctl did."""
    (process,) = (one for one in kwokctl.processes(files) if one.name == name)
    processes.start(
        files, name, Path(process.program), process.args, environment={**environment, **process.environment}
    )
