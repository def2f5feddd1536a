"""Which programs local clusters use, those of other users and data directories as far as they run."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.engines.local.processes import supervisor
from knavtool.engines.local.state.layout import cluster_files, cluster_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from knavtool.engines.local.state.layout import ClusterFiles

_PROC = Path("/proc")


def programs_in_use(environment: Mapping[str, str]) -> dict[Path, str]:
    """What uses a program, by its real path: a cluster of this user, running or not, or else a process."""
    found = {program: f"process {number}" for number, program in _running()}
    for name in cluster_names(environment):
        found |= dict.fromkeys(_of_cluster(cluster_files(name, environment)), f"cluster {name}")
    return found


def _running() -> Iterator[tuple[str, Path]]:
    for entry in _PROC.glob("[0-9]*/exe"):
        # Processes end, and those of others are not shown.
        with contextlib.suppress(OSError):
            yield entry.parent.name, entry.readlink()


def _of_cluster(files: ClusterFiles) -> Iterator[Path]:
    """kwokctl links to the programs of the control plane; keepers know theirs, and what runs before a restart."""
    for link in (files.directory / "bin").glob("*"):
        yield link.resolve()
    for told in supervisor.kept(files):
        with contextlib.suppress(KeyError, IndexError):
            for words in (told["argv"], *told["before_restart"]):
                yield Path(words[0]).resolve()
