"""`cluster down` on the local engine: end every process, remove the context and the directory."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.engines.local.processes import processes
from knavtool.engines.local.state import kubeconfig, record
from knavtool.errors import DocumentError, EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.engines.local.state.layout import ClusterFiles
    from knavtool.events import Steps


async def down(files: ClusterFiles, *, kubeconfig_file: Path, steps: Steps) -> bool:
    """Remove a cluster, whatever state it is in; False if there was nothing of it. The caller holds the lock."""
    contexts = _contexts(files)
    there = files.directory.is_dir() or processes.everything(files)
    if not there and not kubeconfig.knows_context(kubeconfig_file, files.context):
        return False
    with steps.step("cluster", f"down {files.name}") as step:
        ended = await stop(files)
        removed = _remove_contexts(files, {str(kubeconfig_file): "", **contexts}, steps)
        step.message = f"{ended} processes ended" + (f", context {files.context} removed" if removed else "")
        return True


async def stop(files: ClusterFiles) -> int:
    """End the cluster's processes and remove its directory; returns how many processes there were."""
    numbers: set[int] = set()
    # A process that is being ended may have started another one just before.
    while found := processes.everything(files) - numbers:
        numbers |= found
        await processes.end(found)
    if files.directory.is_dir():
        try:
            shutil.rmtree(files.directory)
        except OSError as error:
            raise EngineError(f"cannot remove {error.filename or files.directory}: {error.strerror}") from error
    return len(numbers)


def _contexts(files: ClusterFiles) -> Mapping[str, str]:
    try:
        known = record.load(files)
    except EngineError:
        return {}  # it cannot be read; the cluster goes all the same
    return known.contexts if known is not None else {}


def _remove_contexts(files: ClusterFiles, contexts: Mapping[str, str], steps: Steps) -> int:
    removed = 0
    for name, before in contexts.items():
        try:
            removed += kubeconfig.remove_context(Path(name), files.context, before=before)
        except (DocumentError, EngineError) as error:
            steps.note(f"context {files.context} stays in {name}: {error.message}", warning=True)
    return removed
