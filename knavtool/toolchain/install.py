"""Putting one program into the cache, from its release or from source."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tarfile
import zipfile
import zlib
from collections import defaultdict
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from knavtool.events import Result
from knavtool.toolchain.fetch import Fetcher, Unavailable
from knavtool.toolchain.store import DiskFull, whole, writing
from knavtool.toolchain.threads import Leave, in_thread
from knavtool.toolchain.versions import wrong_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from knavtool.events import Step, Steps
    from knavtool.toolchain.golang import Go
    from knavtool.toolchain.pins import Checkout, GoModule, Program, Release

_DOWNLOADS = 4
_BUILDS = 2
_CHUNK = 1 << 20


class Installer:
    """Downloads run side by side; of builds no more than memory has room for.

    Programs of one module are built one after another: what the first compiles the others find in go's cache.
    """

    def __init__(self, *, fetcher: Fetcher, go: Go, environment: Mapping[str, str]) -> None:
        self.fetcher = fetcher
        self.go = go
        self.environment = environment
        self._downloads = asyncio.Semaphore(_DOWNLOADS)
        self._builds = asyncio.Semaphore(_BUILDS)
        self._modules: defaultdict[GoModule | Checkout | Path, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def download(self, program: Program, target: Path, *, steps: Steps) -> None:
        """Install the publisher's own file; raises Unavailable with the reason if it cannot be had."""
        release = program.release
        if release is None:
            raise Unavailable(f"its publisher has no file for {program.platform}")
        expected = await self.fetcher.expected_sum(release.url, sha256=release.sha256, listed_at=release.checksums)
        part = target.parent / f".{target.name}.part"
        async with self._downloads:
            host = urlsplit(self.fetcher.address(release.url)).netloc
            with _attempt(steps, "download", program, f"from {host}", otherwise=Result.SKIPPED) as step:
                await self.fetcher.download(
                    release.url,
                    sha256=expected,
                    to=part,
                    progress=lambda done, total: step.progress(done, total, unit="B"),
                )
                with whole(target, mode=0o755) as new:
                    size = await in_thread(lambda leave: _unpack(part, release, new, leave), name=f"unpack-{target}")
                    await self._try_out(program, new)
                part.unlink(missing_ok=True)
                step.message = f"{size / 1e6:.0f} MB"
                step.data = {"path": str(target), "url": release.url, "sha256": expected}

    async def build(self, program: Program, target: Path, *, steps: Steps) -> None:
        """Install what `go build` makes; raises Unavailable with the reason if it cannot."""
        if program.build is None:
            raise Unavailable("no Go module is pinned for it")
        if self.go.command() is None:
            raise Unavailable("no go command on PATH (Go 1.26 or newer builds it from source)")
        async with self._modules[program.build.module], self._builds:
            with _attempt(steps, "build", program, "go build", otherwise=Result.FAILED) as step:
                with workspace(target) as directory:
                    built = await self.go.build(
                        program, workspace=directory, progress=lambda done, detail: step.progress(done, 0, detail)
                    )
                    with whole(target, mode=0o755) as new:
                        with writing(new):
                            built.replace(new)
                        await self._try_out(program, new)
                step.message = f"{target.stat().st_size / 1e6:.0f} MB"
                step.data = {"path": str(target), "package": program.build.package}

    async def _try_out(self, program: Program, path: Path) -> None:
        """A program that does not run here, or is not what it was pinned as, never gets into the cache."""
        with writing(path):
            path.chmod(0o755)
        if program.check is None:
            return
        if problem := await wrong_version(program, program.check, path, environment=self.environment):
            raise Unavailable(problem)


@contextlib.contextmanager
def _attempt(steps: Steps, kind: str, program: Program, detail: str, *, otherwise: Result) -> Iterator[Step]:
    """A step that ends as `otherwise` if the source is not available, which is told to the caller as well."""
    unavailable: Unavailable | None = None
    with steps.step(kind, program.title, detail=detail) as step:
        try:
            yield step
        except Unavailable as reason:
            step.result, step.message = otherwise, str(reason)
            unavailable = reason
    if unavailable is not None:
        raise unavailable


@contextlib.contextmanager
def workspace(target: Path) -> Iterator[Path]:
    """An empty directory beside `target`, on the same file system; whatever is left in it is removed.

    The caller holds the lock of `target`, so what a killed process left there belongs to nobody.
    """
    directory = target.parent / f".{target.name}.build"
    shutil.rmtree(directory, ignore_errors=True)
    try:
        with writing(directory):
            directory.mkdir(parents=True)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _unpack(part: Path, release: Release, new: Path, leave: Leave) -> int:
    """Copy the program out of a verified download to `new`; returns its size."""
    try:
        with _member(part, release) as source, writing(new), new.open("xb") as sink:
            while chunk := source.read(_CHUNK):
                with leave.held():
                    sink.write(chunk)
            return sink.tell()
    except (KeyError, tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise Unavailable(f"{release.url} holds no {release.member}: {error}") from error
    except DiskFull:
        part.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _member(part: Path, release: Release) -> Iterator[IO[bytes]]:
    if release.member is None:
        with part.open("rb") as file:
            yield file
    elif release.url.endswith(".zip"):
        with zipfile.ZipFile(part) as zipped, zipped.open(release.member) as file:
            yield file
    else:
        with tarfile.open(part, "r:*") as archive:
            found = archive.extractfile(release.member)
            if found is None:
                raise KeyError(f"{release.member} is no file")
            with found:
                yield found
