"""Where the files of a local cluster are, and the lock that lets one command at a time work on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.directories import xdg_directory
from knavtool.errors import EngineError, UsageError, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT_NAME = "default"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
# Lists of paths are split at commas and colons, Prometheus expands patterns, and configuration files know escapes.
_AWKWARD = re.compile(r'[",:*?\[\]\\\x00-\x1f]')


@dataclass(frozen=True, slots=True)
class ClusterFiles:
    """The files of one cluster; `work` is the working directory that kwokctl shares among all clusters."""

    work: Path
    name: str

    @property
    def directory(self) -> Path:
        """What belongs to this cluster alone; kwokctl fixes the place below its working directory."""
        return self.work / "clusters" / self.name

    @property
    def context(self) -> str:
        """The cluster's context in a kubeconfig."""
        return f"knavtool-{self.name}"

    @property
    def record(self) -> Path:
        """What `cluster up` was asked for and what it did; see `record.py`."""
        return self.directory / "knavtool.json"

    @property
    def kwokctl(self) -> Path:
        """kwokctl's own record: the arguments of each of its processes, and KWOK's configuration."""
        return self.directory / "kwok.yaml"

    @property
    def kwokctl_made(self) -> Path:
        """kwokctl's record as kwokctl made it, once settings have changed it."""
        return self.directory / "kwok.made.yaml"

    @property
    def pki(self) -> Path:
        """The authority of the cluster, and its administrator's certificate and key."""
        return self.directory / "pki"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig that the cluster's own processes use; kwokctl's in a cluster that has no other."""
        ours = self.token_kubeconfig
        return ours if ours.exists() else self.directory / "kubeconfig.yaml"

    @property
    def token_kubeconfig(self) -> Path:
        """One in which the administrator has a token instead of a certificate."""
        return self.directory / "token.kubeconfig"

    @property
    def tokens(self) -> Path:
        """Whom the API server knows by which token."""
        return self.directory / "tokens.csv"

    @property
    def targets(self) -> Path:
        """The scrape targets of the cluster's processes, one file for each."""
        return self.directory / "targets"

    @property
    def metrics_token(self) -> Path:
        """The token with which Prometheus asks controllers for metrics."""
        return self.directory / "metrics.token"

    @property
    def audit_policy(self) -> Path:
        """What the API server notes in its audit log."""
        return self.directory / "audit-policy.json"

    @property
    def audit_log(self) -> Path:
        """The requests that the API server answered, if it notes them."""
        return self.directory / "audit.log"

    @property
    def component_records(self) -> Path:
        """The records of the catalogue that the cluster's components were installed with, one file for each."""
        return self.directory / "records"

    def component_record(self, name: str) -> Path:
        """That of one component."""
        return self.component_records / f"{name}.json"

    def component(self, name: str) -> Path:
        """The directory of a component's processes: what they are configured with and what they keep."""
        return self.directory / "components" / name

    def applied(self, process: str) -> Path:
        """The settings that a process was started with last, if it was started with some."""
        return self.directory / "settings" / f"{process}.json"

    def pid(self, process: str) -> Path:
        """The file that holds a process's number."""
        return self.directory / "pids" / f"{process}.pid"

    def log(self, process: str) -> Path:
        """What a process writes to stdout and stderr."""
        return self.directory / "logs" / f"{process}.log"

    def keeper(self, process: str) -> Path:
        """The directory of the keeper of a process: what it was told to keep, and how that goes."""
        return self.directory / "keepers" / process

    def missing(self) -> EngineError:
        """The error for a command that needs the cluster when there is none."""
        return EngineError(
            f"there is no cluster {self.name}", hint=f"`knavtool cluster up --name {self.name}` makes it"
        )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only knavtool that changes this cluster; if another one is, that is an error at once."""
        with locked(self.work, self.name, str(os.getpid())) as holder:
            if holder is not None:
                message = f"another knavtool (process {holder or 'unknown'}) is working on cluster {self.name}"
                raise EngineError(message, hint="wait until it is done, or give this cluster another --name")
            yield


@contextlib.contextmanager
def locked(work: Path, name: str, holder: str) -> Iterator[str | None]:
    """Hold the lock of a name below the directory for the block, and tell others who does.

    Gives None, or what another process that holds it told. Raises EngineError if the lock cannot be written.
    """
    locks = work / "locks"
    try:
        locks.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (locks / name).open("a+b")
    except OSError as error:
        message = f"cannot write {error.filename or locks}: {error.strerror}"
        another = "choose another place with XDG_DATA_HOME"
        raise EngineError(message, hint=why_not(error, denied=another, elsewhere=another)) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            yield file.read().decode(errors="replace").strip()
            return
        file.truncate(0)
        file.write(holder.encode())
        file.flush()
        yield None


def cluster_files(name: str, environment: Mapping[str, str]) -> ClusterFiles:
    """The files of the cluster `name` for this user; raises UsageError if that is no name for a cluster."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"--name {name}: a cluster's name is made of a-z, 0-9 and '-', at most 40 characters",
            hint="it becomes part of a context's name and of a directory's",
        )
    work = data_directory(environment)
    if found := _AWKWARD.search(str(work)):
        message = f"{work}: a path with {found[0]!r} in it cannot hold a cluster"
        raise UsageError(message, hint="choose another place with XDG_DATA_HOME")
    return ClusterFiles(work, name)


def cluster_names(environment: Mapping[str, str]) -> list[str]:
    """The clusters of this user, in order of their names."""
    clusters = data_directory(environment) / "clusters"
    if not clusters.is_dir():
        return []
    return sorted(entry.name for entry in clusters.iterdir() if entry.is_dir() and _NAME.fullmatch(entry.name))


def data_directory(environment: Mapping[str, str]) -> Path:
    """Where data of this user is kept: `$XDG_DATA_HOME/knavtool`."""
    return xdg_directory(environment, "XDG_DATA_HOME", Path(".local/share"))
