"""Whether this machine can run a local cluster, and what its errors mean."""

from __future__ import annotations

import errno
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.errors import DISK_FULL, EngineError

if TYPE_CHECKING:
    from knavtool.engines.local.state.layout import ClusterFiles

_ENVIRONMENT = Path("/proc/self/environ")
_ELSEWHERE = (
    "use a cluster that exists (kind, minikube or a real one) with `--engine existing`, or run knavtool in a Linux "
    "machine, container or WSL 2"
)


def require_machine() -> None:
    """Raise EngineError if the processes of a cluster cannot be kept here, before anything is fetched or changed."""
    if sys.platform != "linux":
        system = platform.system() or sys.platform
        message = f"the local engine runs on Linux only, and this machine runs {system} ({platform.machine()})"
        raise EngineError(message, hint=_ELSEWHERE)
    try:
        _ENVIRONMENT.read_bytes()
    except OSError as error:
        message = f"the local engine finds its processes in /proc, but {_ENVIRONMENT} cannot be read: {error.strerror}"
        raise EngineError(message, hint="mount /proc, or use `--engine existing`") from None
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        message = f"the local engine watches its processes with pidfd_open, which fails here: {error.strerror}"
        raise EngineError(message, hint="that needs Linux 5.3 or newer, and a sandbox that lets it through") from None


def meaning(error: OSError, files: ClusterFiles) -> EngineError:
    """What an error of the system means for the work on a cluster; what to try only where that is known."""
    reason = error.strerror or str(error) or type(error).__name__
    what = f"{error.filename}: {reason}" if error.filename is not None else reason
    hint = ""
    if error.errno in DISK_FULL:
        what = f"cannot write {error.filename or files.directory}: {reason}"
        hint = "free some space, or choose another place with XDG_DATA_HOME"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        hint = "choose another place with XDG_DATA_HOME" if _inside(error.filename, files) else "see who may use it"
    elif error.errno == errno.ENOENT and _inside(error.filename, files):
        hint = f"something removed it meanwhile; `knavtool cluster down --name {files.name}` removes what is left"
    elif error.errno in (errno.EMFILE, errno.ENFILE):
        hint = "end other programs, or raise the limit of open files (`ulimit -n`)"
    elif error.errno in (errno.EAGAIN, errno.ENOMEM):
        hint = "end other programs, or raise the limits of memory and processes (`ulimit -u`)"
    return EngineError(f"cluster {files.name}: {what}", hint=hint)


def _inside(filename: object, files: ClusterFiles) -> bool:
    return isinstance(filename, str | os.PathLike) and Path(filename).is_relative_to(files.work)
