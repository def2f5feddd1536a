"""Single files and directories of upstream projects: manifests that are read but never shipped with knavtool."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from knavtool.cluster.toolchain.fetch import Fetcher, Unavailable
from knavtool.cluster.toolchain.install import workspace
from knavtool.cluster.toolchain.store import Store, locked, whole, writing
from knavtool.errors import BinaryMissing, EngineError

if TYPE_CHECKING:
    from knavtool.cluster.toolchain.golang import Go


class SourceFiles:
    """Files by Go module, version and path; once fetched they are read from the cache, without network or go."""

    def __init__(self, *, store: Store, fetcher: Fetcher, go: Go, downloads: bool = True) -> None:
        self._store = store
        self._fetcher = fetcher
        self._go = go
        self._downloads = downloads

    async def module_directory(self, module: str, version: str) -> Path:
        """The directory of a module's sources."""
        files = self._files(module, version)
        async with locked(files, waiting=_silent):
            try:
                with workspace(files) as directory:
                    return await self._go.module_directory(module, version, workspace=directory)
            except Unavailable as reason:
                raise BinaryMissing(f"source of {module}@{version}", [("go", str(reason))]) from reason

    async def file(
        self,
        *,
        url: str | None,
        sha256: str | None,
        checksums: str | None = None,
        module: str,
        version: str,
        path: str,
    ) -> Path:
        """The file `path` of a module: from the cache, the release at `url`, or the module's directory.

        `url` is used only if its sum is pinned (`sha256`) or listed by its publisher (`checksums`).
        """
        relative = PurePosixPath(path)
        if relative.is_absolute() or ".." in relative.parts:
            raise EngineError(f"{path} leads out of the module {module}")
        target = self._store.source(module, version, path)
        if target.is_file():
            return target
        reasons: list[tuple[str, str]] = []
        files = self._files(module, version)
        async with locked(files, waiting=_silent):
            if target.is_file():
                return target
            with writing(target.parent):
                target.parent.mkdir(parents=True, exist_ok=True)
            if url is not None:
                try:
                    return await self._download(url, sha256=sha256, checksums=checksums, target=target)
                except Unavailable as reason:
                    reasons.append(("download", str(reason)))
            try:
                with workspace(files) as directory:
                    found = await self._go.module_directory(module, version, workspace=directory) / path
                    return _copy(found, target)
            except Unavailable as reason:
                reasons.append(("go module", str(reason)))
        raise BinaryMissing(f"{path} of {module}@{version}", reasons)

    def _files(self, module: str, version: str) -> Path:
        """What stands for all files of a module: they share one lock."""
        return self._store.source(module, version, "files")

    async def _download(self, url: str, *, sha256: str | None, checksums: str | None, target: Path) -> Path:
        if not self._downloads:
            raise Unavailable("not allowed by --offline")
        expected = await self._fetcher.expected_sum(url, sha256=sha256, listed_at=checksums)
        part = target.parent / f".{target.name}.part"
        await self._fetcher.download(url, sha256=expected, to=part, progress=lambda _done, _total: None)
        with writing(target):
            part.replace(target)
        return target


def _copy(found: Path, target: Path) -> Path:
    if not found.is_file():
        raise Unavailable(f"{found} does not exist")
    with whole(target, mode=0o644) as new, writing(new):
        shutil.copyfile(found, new)
    return target


def _silent() -> None:
    """These are small files: nobody has to be told that another process fetches one."""
