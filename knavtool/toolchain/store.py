"""The cache directory: where finished programs lie, one lock per program, and writes that appear whole or not at all.

Layout: `toolchain/NAME/VERSION/OS-ARCH[/RECIPE]/NAME` for programs, `sources/MODULE@VERSION/PATH` for files of Go
modules, `assets/HOST/PATH` for files of releases and `local/DIGEST` for what is made of a directory of the user.
Beside a finished file there may be its lock, a `.part` (an unfinished download) and `.build` (a build in progress).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from knavtool.atomic import beside, left_beside
from knavtool.errors import DISK_FULL, EngineError, why_not
from knavtool.toolchain.threads import Leave, in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from knavtool.toolchain.pins import GoModule, Program

_ELSEWHERE = "choose another cache directory with XDG_CACHE_HOME"


class DiskFull(EngineError):
    """There is no room left for what is being written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A program in the cache; `size` in bytes."""

    name: str
    version: str
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class Store:
    """The cache below one directory, for example `~/.cache/knavtool`."""

    root: Path

    def program(self, program: Program) -> Path:
        """Where a program lies once it is installed; the version is part of the path and is trusted for that.

        So is how it is built, which a record may change while the version stays.
        """
        folder = self.root / "toolchain" / program.name / program.version / program.platform.directory
        if program.recipe:
            folder /= _digest(program.recipe)
        return folder / program.name

    def installed(self) -> list[Installed]:
        """All programs of all versions, as they were built or downloaded for any platform."""
        found = []
        for directory in sorted((self.root / "toolchain").glob("*/*/")):
            for path in sorted(directory.rglob(directory.parent.name)):
                if path.is_file():
                    name, version = directory.parent.name, directory.name
                    found.append(Installed(name=name, version=version, path=path, size=path.stat().st_size))
        return found

    async def remove(self, path: Path, *, waiting: Callable[[], object]) -> None:
        """Remove a program, once nobody installs it; its lock stays, because others may hold it."""
        async with locked(path, waiting=waiting):
            with writing(path):
                path.unlink(missing_ok=True)

    def module(self, module: GoModule) -> Path:
        """What stands for all files of a Go module: they share one lock."""
        return self.root / "sources" / str(module) / "files"

    def source(self, module: GoModule, path: str) -> Path:
        """Where a file or directory of a Go module lies once it is fetched."""
        return self.root / "sources" / str(module) / path

    def asset(self, url: str) -> Path:
        """Where a file of a release lies once it is fetched."""
        parts = urlsplit(url)
        return self.root / "assets" / parts.netloc / parts.path.lstrip("/")

    def local(self, directory: Path) -> Path:
        """Where things lie that are made of a directory of the user."""
        return self.root / "local" / _digest(str(directory.absolute()))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_program(path: Path) -> bool:
    """Whether `path` can be executed."""
    return path.is_file() and os.access(path, os.X_OK)


@contextlib.asynccontextmanager
async def locked(target: Path, *, waiting: Callable[[], object]) -> AsyncIterator[None]:
    """Hold the lock of `target` among all processes; `waiting` is called once if another one holds it.

    The kernel frees the lock of a process that dies, so a stale lock cannot exist.
    """
    with writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        file = (target.parent / f".{target.name}.lock").open("wb")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            # The thread owns a descriptor of its own: left behind, it gets the lock some day, closes it and frees it.
            descriptor = os.dup(file.fileno())

            def wait(_: Leave) -> None:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                finally:
                    os.close(descriptor)

            await in_thread(wait, name=f"lock-{target.name}")
        yield


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a refusal of the file system while `path` is written into one clear error."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise disk_full(path) from error
        message = f"cannot write {error.filename or path}: {error.strerror or error}"
        hint = why_not(error, denied=f"check the permissions, or {_ELSEWHERE}", elsewhere=_ELSEWHERE)
        raise EngineError(message, hint=hint) from error


def disk_full(path: Path) -> DiskFull:
    """The error for a file system that is full while `path` is written."""
    hint = "free some space (all programs and their builds need about 5 GB), or set XDG_CACHE_HOME to another disk"
    return DiskFull(f"the disk is full: {path} could not be written", hint=hint)


@contextlib.contextmanager
def whole(target: Path, *, mode: int) -> Iterator[Path]:
    """A path beside `target`: what the block puts there takes its place, with `mode`, or vanishes if the block fails.

    The caller holds the lock of `target`, so what a killed process left there belongs to nobody.
    """
    temporary = beside(target)
    with writing(target):
        for stale in left_beside(target):
            stale.unlink(missing_ok=True)
    try:
        yield temporary
        with writing(target):
            temporary.chmod(mode)
            _sync(temporary)
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Bring a file to the disk before it gets its name: a cached file is trusted, also after a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
