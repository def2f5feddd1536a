"""A cluster in a file: what its API server knows and what proves that it is the same cluster, but no process of it.

The file is a tar archive. Its first member is `saved.json`; the others are files of the cluster's directory: keys and
certificates, the records of components, and the data of etcd. All of the cluster's secrets are in it.
"""

from __future__ import annotations

import io
import json
import os
import signal
import tarfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from knavtool import __version__
from knavtool.atomic import atomic_write, replacing
from knavtool.engines.local.processes import processes
from knavtool.engines.local.state import record
from knavtool.errors import DocumentError, EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from knavtool.engines.local.state.layout import ClusterFiles
    from knavtool.engines.local.state.record import Record

FORMAT = 1
_ABOUT = "saved.json"
_KEPT = ("pki/**/*", "components/*/certs/**/*", "records/*", "settings/*", "etcd/member/**/*")
_TOP = frozenset(one.partition("/")[0] for one in _KEPT)
_ETCD = "etcd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A file, and the record of the cluster that is in it; `sizes` are those of files whose end is zeros."""

    path: Path
    name: str
    record: Record
    sizes: dict[str, int]

    def lay(self, files: ClusterFiles) -> None:
        """Write what is kept into the directory of a new cluster, for its user alone. Raises EngineError."""
        try:
            with tarfile.open(self.path) as archive:
                for member in archive:
                    if member.name != _ABOUT:
                        _unpack(archive, member, files.directory)
            for name, size in self.sizes.items():
                os.truncate(files.directory / name, size)
        except (OSError, tarfile.TarError) as error:
            raise EngineError(f"{self.path} cannot be unpacked: {error}") from error


def save(files: ClusterFiles, path: Path) -> int:
    """Write a running cluster to a file, which only its user may read; returns its size.

    Raises EngineError for a cluster that cannot be saved, and OSError.

    etcd stands still for the time that its data are copied, some tens of milliseconds; everything else goes on. What it
    has answered is in the file: it finds the rest of its data as after a power failure, which it is made for.
    """
    known = record.load_whole(files)
    if known is None:
        raise files.missing()
    if known.unfinished:
        listed = ", ".join(known.unfinished)
        raise EngineError(f"cluster {files.name} is not finished: {listed}", hint="`knavtool cluster up` finishes it")
    with replacing(path) as target, tarfile.open(fileobj=target, mode="w") as archive, _still(files):
        kept = sorted({one for pattern in _KEPT for one in files.directory.glob(pattern) if one.is_file()})
        contents, sizes = [], {}
        for file in kept:
            # etcd makes its next file in advance.
            if file.suffix == ".tmp":
                continue
            name = str(file.relative_to(files.directory))
            content = file.read_bytes()
            short = content.rstrip(b"\0")
            if len(short) < len(content):
                sizes[name] = len(content)
            contents.append((name, short))
        about = {"format": FORMAT, "knavtool": __version__, "name": files.name, "record": asdict(known), "sizes": sizes}
        for name, content in [(_ABOUT, json.dumps(about).encode()), *contents]:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600
            archive.addfile(member, io.BytesIO(content))
    return path.stat().st_size


def load(path: Path) -> Saved:
    """What a file has; DocumentError if it is none."""
    try:
        with tarfile.open(path) as archive:
            first = archive.next()
            stream = archive.extractfile(first) if first is not None and first.name == _ABOUT else None
            if stream is None:
                raise DocumentError(f"{path} is no cluster that `knavtool cluster save` wrote")
            about = json.load(stream)
        if about["format"] != FORMAT:
            raise DocumentError(
                f"{path} was written by knavtool {about.get('knavtool', '?')} in format {about['format']}; "
                f"this one reads format {FORMAT}",
                hint="start that cluster anew, and save it with this version",
            )
        known = replace(record.read(about["record"]), contexts={})
        return Saved(path=path, name=about["name"], record=known, sizes=about["sizes"])
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror or error}") from error
    except (tarfile.TarError, ValueError, TypeError, KeyError) as error:
        raise DocumentError(f"{path} is no cluster that `knavtool cluster save` wrote ({error})") from error


@contextmanager
def _still(files: ClusterFiles) -> Iterator[None]:
    """For the block, etcd does nothing."""
    number = processes.running(files).get(_ETCD)
    if number is None:
        raise EngineError(
            f"{_ETCD} of cluster {files.name} does not run", hint=f"`knavtool cluster up --name {files.name}` starts it"
        )
    # A signal that ended this process now would leave it standing.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        os.kill(number, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(number, signal.SIGCONT)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, directory: Path) -> None:
    """Write one file, which must be one of those that are kept: nothing is written elsewhere."""
    stream = archive.extractfile(member)
    name = PurePosixPath(member.name)
    if stream is None or name.is_absolute() or ".." in name.parts or name.parts[0] not in _TOP:
        raise EngineError(f"{member.name!r} is no file of a cluster")
    path = directory / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic_write(path, stream.read())
