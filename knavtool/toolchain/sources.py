"""Manifests of upstream projects, which are read but never shipped with knavtool.

Once fetched they are read from the cache, without network, go or kubectl.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from knavtool.errors import BinaryMissing, EngineError
from knavtool.toolchain import checksums
from knavtool.toolchain.fetch import Fetcher, Unavailable
from knavtool.toolchain.install import workspace
from knavtool.toolchain.kustomize import kustomize
from knavtool.toolchain.store import Store, locked, whole, writing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from knavtool.events import Steps
    from knavtool.toolchain.golang import Go
    from knavtool.toolchain.pins import GoModule

_LISTING = ".files"
_KUSTOMIZED = ".kustomized.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A published file; it is downloaded only if its sum is pinned (`sha256`) or listed by its publisher."""

    url: str
    sha256: str | None = None
    checksums: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the same manifests can be had: first the `asset`, then the `module`.

    Of the module's directory the output of a `kustomization` (a directory) is taken, then `paths`: files, and
    directories whose YAML files count. A `directory` of the user stands for that of the module and wins over all.
    """

    asset: Asset | None = None
    module: GoModule | None = None
    kustomization: str | None = None
    paths: tuple[str, ...] = ()
    directory: Path | None = None

    @property
    def wanted(self) -> tuple[str, ...]:
        """The parts of the module that are wanted."""
        return (self.kustomization, *self.paths) if self.kustomization is not None else self.paths

    @property
    def title(self) -> str:
        """What is looked for, for people."""
        if self.wanted:
            return f"{', '.join(self.wanted)} of {self.directory or self.module}"
        return self.asset.url if self.asset else "manifest"


class SourceFiles:
    """Finds manifests; `kubectl` gives the path of that program, which may have to be installed for it."""

    def __init__(
        self,
        *,
        store: Store,
        fetcher: Fetcher,
        go: Go,
        kubectl: Callable[[Steps], Awaitable[Path]],
        downloads: bool = True,
    ) -> None:
        self._store = store
        self._fetcher = fetcher
        self._go = go
        self._kubectl = kubectl
        self._downloads = downloads

    async def module_directory(self, module: GoModule) -> Path:
        """The directory of a module's sources."""
        try:
            async with locked(self._store.module(module), waiting=_silent):
                return await self._sources(module)
        except Unavailable as reason:
            raise BinaryMissing(f"source of {module}", [("go module", str(reason))]) from reason

    async def manifests(self, sources: Sources, *, steps: Steps) -> tuple[Path, ...]:
        """The files: from the user's directory, from the cache, or from the first source that has them.

        Raises BinaryMissing, naming each source that was tried, if none has them.
        """
        for path in sources.wanted:
            relative = PurePosixPath(path)
            if relative.is_absolute() or ".." in relative.parts:
                raise EngineError(f"{path} leads out of the module {sources.module}")
        if sources.directory is not None:
            try:
                return await self._from_directory(sources, sources.directory, steps)
            except Unavailable as reason:
                raise BinaryMissing(sources.title, [("directory", str(reason))]) from reason
        cached = self._cached(sources)
        return cached if cached is not None else await self._fetch(sources, steps)

    async def _fetch(self, sources: Sources, steps: Steps) -> tuple[Path, ...]:
        reasons: list[tuple[str, str]] = []
        with steps.step("download", sources.title) as step:
            if sources.asset is not None:
                try:
                    return (await self._download(sources.asset),)
                except Unavailable as reason:
                    reasons.append(("release", str(reason)))
                    step.message = f"no release: {reason}"
            if sources.module is not None and sources.wanted:
                try:
                    async with locked(self._store.module(sources.module), waiting=_silent):
                        # Another process may have fetched them while this one waited.
                        return self._cached(sources) or await self._from_module(sources, sources.module, step.nested())
                except Unavailable as reason:
                    reasons.append(("go module", str(reason)))
            hint = "files of releases may come from a mirror (KNAVTOOL_MIRROR), modules through a proxy (GOPROXY)"
            raise BinaryMissing(sources.title, reasons, hint=hint)

    def _cached(self, sources: Sources) -> tuple[Path, ...] | None:
        """What an earlier fetch of any of the sources left; None if a file is missing."""
        asset, module = sources.asset, sources.module
        if asset is not None:
            target = self._store.asset(asset.url)
            if target.is_file() and asset.sha256 in {None, checksums.digest_of(target)[0].hexdigest()}:
                return (target,)
        if module is None or not sources.wanted:
            return None
        found: list[Path] = []
        if sources.kustomization is not None:
            found.append(self._store.source(module, sources.kustomization) / _KUSTOMIZED)
        for path in sources.paths:
            found += _kept(self._store.source(module, path))
        return tuple(found) if all(file.is_file() for file in found) else None

    async def _download(self, asset: Asset) -> Path:
        if not self._downloads:
            raise Unavailable("not allowed by --offline")
        target = self._store.asset(asset.url)
        async with locked(target, waiting=_silent):
            expected = await self._fetcher.expected_sum(asset.url, sha256=asset.sha256, listed_at=asset.checksums)
            part = target.parent / f".{target.name}.part"
            await self._fetcher.download(asset.url, sha256=expected, to=part, progress=lambda _done, _total: None)
            with writing(target):
                part.replace(target)
        return target

    async def _from_module(self, sources: Sources, module: GoModule, steps: Steps) -> tuple[Path, ...]:
        root = await self._sources(module)
        found: list[Path] = []
        if sources.kustomization is not None:
            target = self._store.source(module, sources.kustomization) / _KUSTOMIZED
            found.append(await self._kustomize(root / sources.kustomization, target, steps))
        for path in sources.paths:
            found += _keep(root / path, self._store.source(module, path))
        return tuple(found)

    async def _from_directory(self, sources: Sources, root: Path, steps: Steps) -> tuple[Path, ...]:
        """The files where they are; what a kustomization stands for is worked out anew, because they may change."""
        found: list[Path] = []
        if sources.kustomization is not None:
            target = self._store.local(root / sources.kustomization) / _KUSTOMIZED
            async with locked(target, waiting=_silent):
                found.append(await self._kustomize(root / sources.kustomization, target, steps))
        for path in sources.paths:
            found += _manifests(root / path)
        return tuple(found)

    async def _kustomize(self, directory: Path, target: Path, steps: Steps) -> Path:
        try:
            kubectl = await self._kubectl(steps)
        except BinaryMissing as error:
            reasons = "; ".join(f"{source}: {reason}" for source, reason in error.attempts)
            raise Unavailable(f"kubectl is needed for {directory}, and there is none ({reasons})") from error
        output = await kustomize(kubectl, directory, environment=self._go.environment)
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        with whole(target, mode=0o644) as new, writing(new):
            new.write_text(output, encoding="utf-8")
        return target

    async def _sources(self, module: GoModule) -> Path:
        """Where go keeps the module; the caller holds its lock."""
        with workspace(self._store.module(module)) as directory:
            return await self._go.module_directory(module, workspace=directory)


def _manifests(path: Path) -> list[Path]:
    """The file, or the YAML files of the directory."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise Unavailable(f"{path} does not exist")
    files = sorted(file for file in path.glob("*.yaml") if file.name != "kustomization.yaml")
    if not files:
        raise Unavailable(f"{path} holds no YAML files")
    return files


def _keep(path: Path, target: Path) -> Sequence[Path]:
    """Copy the manifests at `path` to `target`; a directory is complete when the list of its files is there."""
    if path.is_file():
        _copy(path, target)
        return [target]
    files = _manifests(path)
    for file in files:
        _copy(file, target / file.name)
    with whole(target / _LISTING, mode=0o644) as new, writing(new):
        new.write_text("\n".join(file.name for file in files), encoding="utf-8")
    return _kept(target)


def _kept(target: Path) -> Sequence[Path]:
    """What is at `target` if it is complete."""
    listing = target / _LISTING
    if not listing.is_file():
        return [target]
    return [target / name for name in listing.read_text(encoding="utf-8").splitlines()]


def _copy(file: Path, target: Path) -> None:
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with whole(target, mode=0o644) as new, writing(new):
        shutil.copyfile(file, new)


def _silent() -> None:
    """These are small files: nobody has to be told that another process fetches one."""
