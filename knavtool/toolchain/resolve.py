"""The toolchain: per program the first source that has it, in a fixed order."""

from __future__ import annotations

import difflib
import os
import sys
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.documents.version import nearest
from knavtool.errors import BinaryMissing, UsageError
from knavtool.taskgroup import task_group
from knavtool.toolchain.fetch import Fetcher, Unavailable
from knavtool.toolchain.golang import Go
from knavtool.toolchain.install import Installer
from knavtool.toolchain.pins import Pins, Program, load_pins
from knavtool.toolchain.sources import SourceFiles
from knavtool.toolchain.store import Store, is_program, locked
from knavtool.toolchain.versions import wrong_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from knavtool.events import Steps
    from knavtool.toolchain.pins import GoModule
    from knavtool.toolchain.sources import Sources


class Source(StrEnum):
    """Where a program may come from, in the order of trial."""

    EXPLICIT = "explicit"
    PATH = "path"
    CACHE = "cache"
    DOWNLOAD = "download"
    BUILD = "build"


ALL_SOURCES = frozenset(Source)
_LEFT_OUT = "not allowed by --offline or --source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a program is or, with no `path`, which source would be tried first; no `source`: none can give it."""

    name: str
    version: str
    source: Source | None
    path: Path | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Looked:
    """What a look at the machine found: a place, or why each source looked at has nothing."""

    found: tuple[Source, Path] | None
    reasons: Mapping[Source, str] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()


def explicit_variable(name: str) -> str:
    """The environment variable that gives a program's path."""
    return f"KNAVTOOL_{name.upper().replace('-', '_')}_BINARY"


def _ways_to_name(name: str) -> str:
    return f"{explicit_variable(name)} or `cluster up --binary {name}=PATH`"


def _joined(pins: Mapping[str, Program], more: Mapping[str, Program]) -> Mapping[str, Program]:
    if twice := sorted(pins.keys() & more.keys()):
        hint = "give the program of the component another name"
        raise UsageError(f"the toolchain has a program {', '.join(twice)} of its own", hint=hint)
    return {**pins, **more}


class Toolchain:
    """Finds and installs the pinned programs, and `programs` besides: those of components.

    `explicit` are paths the user gave, used as they are. `environment` is what programs and go are started with, and
    `search_path` is the PATH that is searched. A `mirror` stands for all release hosts. `offline` leaves out downloads
    and lets go use only its module cache. `sources` may leave out any source but `explicit`. `kubernetes`
    is the release of Kubernetes whose programs are wanted, ours if none is given.
    """

    def __init__(
        self,
        *,
        cache: Path,
        explicit: Mapping[str, Path] | None = None,
        search_path: str = "",
        environment: Mapping[str, str] | None = None,
        mirror: str | None = None,
        offline: bool = False,
        sources: Iterable[Source] = ALL_SOURCES,
        pins: Pins | None = None,
        kubernetes: str = "",
        programs: Mapping[str, Program] | None = None,
    ) -> None:
        self.pins = pins or load_pins(kubernetes=kubernetes)
        self.programs = _joined(self.pins.programs, programs or {})
        self.store = Store(cache)
        ours = {name: Path(sys.executable) for name, program in self.programs.items() if program.interpreter}
        self.explicit = {**ours, **(explicit or {})}
        self._environment = dict(environment or {})
        self._search_path = search_path
        self._sources = {*sources, Source.EXPLICIT} - ({Source.DOWNLOAD} if offline else set())
        self._told: set[str] = set()
        self.offline = offline
        self.fetcher = fetcher = Fetcher(mirror=mirror)
        self.go = Go(environment=self._environment, search_path=search_path, offline=offline)
        self._installer = Installer(fetcher=fetcher, go=self.go, environment=self._environment)
        self._files = SourceFiles(
            store=self.store, fetcher=fetcher, go=self.go, kubectl=self._kubectl, downloads=not offline
        )

    def program(self, name: str) -> Program:
        """The pin of a program; a wrong name is a usage error with the nearest right one."""
        if (known := self.programs.get(name)) is not None:
            return known
        near = difflib.get_close_matches(name, self.programs, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(self.programs)}"
        raise UsageError(f"no program {name!r} in the toolchain", hint=hint)

    async def ensure(self, names: Iterable[str], *, steps: Steps) -> dict[str, Path]:
        """The path of each program, installed into the cache if it is nowhere on this machine yet.

        Raises BinaryMissing, naming each source that was tried, at the first program that no source can give.
        """
        programs = [self.program(name) for name in dict.fromkeys(names)]
        async with task_group() as group:
            tasks = {
                program.name: group.create_task(self._ensure(program, steps), name=f"ensure-{program.name}")
                for program in programs
            }
        return {name: task.result() for name, task in tasks.items()}

    async def locate(self, name: str) -> Location:
        """Where a program is now, or where it would come from; changes nothing."""
        program = self.program(name)
        looked = await self._look(program)
        note = "; ".join(looked.skipped)
        if looked.found is not None:
            source, path = looked.found
            return Location(name=name, version=program.version, source=source, path=path, note=note)
        coming = next((source for source in self._installing() if self._could(source, program)), None)
        return Location(name=name, version=program.version, source=coming, note=note)

    async def module_directory(self, module: GoModule) -> Path:
        """The directory of a Go module's sources; no network is used if the module cache has it."""
        return await self._files.module_directory(module)

    async def manifests(self, sources: Sources, *, steps: Steps) -> tuple[Path, ...]:
        """The files of a project that `sources` describe, kept in the cache; see `SourceFiles.manifests`."""
        return await self._files.manifests(sources, steps=steps)

    async def _kubectl(self, steps: Steps) -> Path:
        return (await self.ensure(["kubectl"], steps=steps))["kubectl"]

    async def _ensure(self, program: Program, steps: Steps) -> Path:
        looked = await self._look(program)
        for text in looked.skipped:
            self._tell(f"skipped: {text}", steps)
        if looked.found is not None:
            return looked.found[1]
        if not (program.check or program.release or program.build):
            hint = f"get it yourself, and give its path with {_ways_to_name(program.name)}"
            raise BinaryMissing(
                program.title, [(Source.EXPLICIT, "no path given, and no other source known")], hint=hint
            )
        target = self.store.program(program)
        waiting = f"waiting for another knavtool that installs {program.title}"
        async with locked(target, waiting=lambda: steps.note(waiting)):
            # Another process may have installed it while this one waited.
            if Source.CACHE in self._sources and is_program(target) and not program.changes:
                return target
            reasons = {source: _LEFT_OUT for source in Source if source not in self._sources}
            reasons.update(looked.reasons)
            for source in self._installing():
                try:
                    await self._install(source, program, target, steps)
                    return target
                except Unavailable as reason:
                    reasons[source] = str(reason)
                    self._tell(f"no {source}: {reason}", steps)
        hint = f"put it on PATH, or set {explicit_variable(program.name)} to its path"
        if program.check is None:
            hint = f"give its path with {_ways_to_name(program.name)}"
        if program.tried and program.version not in program.tried:
            known = f"{program.name} is known to work at {', '.join(program.tried)}"
            hint = f"{known}; {nearest(program.version, program.tried)} is the nearest"
        tried = [(str(source), reasons[source]) for source in Source if source in reasons]
        raise BinaryMissing(program.title, tried, hint=hint)

    def _tell(self, text: str, steps: Steps) -> None:
        """Note what is out of order once, though it may concern many programs."""
        if text not in self._told:
            self._told.add(text)
            steps.note(text)

    def _installing(self) -> Iterator[Source]:
        return (source for source in (Source.DOWNLOAD, Source.BUILD) if source in self._sources)

    async def _install(self, source: Source, program: Program, target: Path, steps: Steps) -> None:
        if source is Source.DOWNLOAD:
            await self._installer.download(program, target, steps=steps)
        else:
            await self._installer.build(program, target, steps=steps)

    def _could(self, source: Source, program: Program) -> bool:
        """Whether an installation is worth a try, as far as that shows without one."""
        if source is Source.DOWNLOAD:
            return program.release is not None and bool(program.release.sha256 or program.release.checksums)
        return program.build is not None and self.go.command() is not None

    async def _look(self, program: Program) -> _Looked:
        """Look where no installation is needed: explicit > PATH > cache."""
        if (given := self.explicit.get(program.name)) is not None:
            if not is_program(given):
                message = f"{program.name}: {given} is not an executable file"
                hint = f"{_ways_to_name(program.name)} names the program itself"
                raise UsageError(message, hint=hint)
            return _Looked((Source.EXPLICIT, given))
        reasons: dict[Source, str] = {}
        skipped: list[str] = []
        if program.check is None:
            reasons[Source.PATH] = "not searched, because nothing tells the version of what is there"
        elif Source.PATH in self._sources:
            for candidate in self._on_path(program.name):
                problem = await wrong_version(program, program.check, candidate, environment=self._environment)
                if problem is None:
                    return _Looked((Source.PATH, candidate), skipped=tuple(skipped))
                skipped.append(problem)
            reasons[Source.PATH] = "; ".join(skipped) or f"no {program.name} there"
        if Source.CACHE in self._sources and not program.changes:
            target = self.store.program(program)
            if is_program(target):
                return _Looked((Source.CACHE, target), skipped=tuple(skipped))
            reasons[Source.CACHE] = f"no {target}"
        return _Looked(None, reasons, tuple(skipped))

    def _on_path(self, name: str) -> Iterator[Path]:
        """The programs of that name on PATH, each once though several directories may lead to it."""
        seen = set()
        for directory in self._search_path.split(os.pathsep):
            candidate = Path(directory or ".") / name
            if is_program(candidate) and (real := candidate.resolve()) not in seen:
                seen.add(real)
                yield candidate.absolute()
