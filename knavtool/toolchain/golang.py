"""The go command: programs built from pinned modules, and the directories of modules."""

from __future__ import annotations

import json
import os
import re
import shutil
import textwrap
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.toolchain.fetch import ChecksumMismatch, Unavailable
from knavtool.toolchain.pins import MODULES, Checkout, GoModule
from knavtool.toolchain.processes import run
from knavtool.toolchain.store import disk_full, writing
from knavtool.toolchain.threads import Leave, in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from knavtool.toolchain.pins import Program, Replacement

_PACKAGE = re.compile(r"[\w.~/-]+")
_TAIL = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """The go command of this machine; `offline` keeps it from the network."""

    environment: Mapping[str, str]
    search_path: str
    offline: bool = False

    def command(self) -> str | None:
        """The path of go, if there is one."""
        return shutil.which("go", path=self.search_path)

    def _needed(self) -> str:
        command = self.command()
        if command is None:
            raise Unavailable("no go command on PATH (Go 1.26 or newer builds it from source)")
        return command

    def _environment(self, temporary: Path) -> dict[str, str]:
        """The user's own settings of proxies and caches, and ours of what a build depends on."""
        ours = {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=readonly", "GOTMPDIR": str(temporary)}
        # A module may need a newer Go, which go fetches as it does modules, with their checksum database. Container
        # images of Go turn that off.
        ours["GOTOOLCHAIN"] = "auto"
        if self.offline:
            ours["GOPROXY"] = "off"
        return {**self.environment, **ours}

    async def build(self, program: Program, *, workspace: Path, progress: Callable[[int, str], object]) -> Path:
        """Build `program` in the empty directory `workspace`; returns the executable there.

        `progress` hears how many packages are compiled so far and what goes on. Nobody knows how many there will be:
        counting those that are not cached takes go as long as a small build.
        """
        recipe = program.build
        if recipe is None:
            raise Unavailable("no Go module is pinned for it")
        go = self._needed()
        if isinstance(recipe.module, Path):
            directory = _copy_module(recipe.module, workspace)
        else:
            # Nothing is written there: all that a build makes goes elsewhere.
            directory = await self._sources(recipe.module, workspace=workspace, progress=progress)
            if recipe.replace:
                directory = await self._changed(directory, recipe.replace, workspace=workspace)
        output = workspace / program.name
        command = [go, "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", f"-s -w {recipe.ldflags}"]
        # What `-s -w` leaves out of the program need not be made: that is a seventh of the time.
        command += ["-gcflags", "all=-dwarf=false"]
        if recipe.tags:
            command += ["-tags", ",".join(recipe.tags)]
        command += ["-o", str(output), recipe.package]
        talk = _Talk(recipe.package, progress)
        finished = await run(
            command,
            environment=self._environment(_directory(workspace / "tmp")),
            directory=directory,
            on_error_line=talk.hear,
        )
        if finished.code == 0:
            return output
        if "no space left on device" in finished.stderr:
            raise disk_full(output)
        raise Unavailable(f"go build failed (exit code {finished.code}): {talk.complaint()}")

    async def _sources(
        self, module: GoModule | Checkout, *, workspace: Path, progress: Callable[[int, str], object]
    ) -> Path:
        """The directory in which a program is built."""
        if isinstance(module, Checkout):
            return module.path
        progress(0, f"sources of {module}")
        return await self.module_directory(module, workspace=workspace)

    async def _changed(self, sources: Path, replacements: Sequence[Replacement], *, workspace: Path) -> Path:
        """A copy of a module's sources with text replaced, there and in copies of modules that it needs."""
        changed = workspace / "changed"
        own = [one for one in replacements if not one.module]
        await in_thread(_Copy(sources, changed, own).make, name=f"copy-{sources.name}")
        for number, module in enumerate(dict.fromkeys(one.module for one in replacements if one.module)):
            # Of the version that the module needs, with the sum that it has for that.
            found = await self._downloaded(module, directory=changed, workspace=workspace)
            theirs = [one for one in replacements if one.module == module]
            copy = workspace / f"needed-{number}"
            await in_thread(_Copy(Path(found["Dir"]), copy, theirs).make, name=f"copy-{module}")
            command = [self._needed(), "mod", "edit", f"-replace={module}={copy}"]
            finished = await run(
                command, environment=self._environment(_directory(workspace / "tmp")), directory=changed
            )
            if finished.code:
                raise Unavailable(f"go mod edit failed: {finished.stderr.strip()}")
        return changed

    async def module_directory(self, module: GoModule, *, workspace: Path) -> Path:
        """The directory of a module's sources, from the module cache or the module proxy.

        They are genuine: as its pinned sum says, or the go.sum of one of our wrapper modules that needs this very
        version, or Go's checksum database, which go itself asks. Raises ChecksumMismatch if not.
        """
        wrapper = _wrapper_of(module)
        directory = _copy_module(wrapper, workspace) if wrapper else _directory(workspace / "module")
        answer = await self._downloaded(module, directory=directory, workspace=workspace)
        if module.sum is not None and answer["Sum"] != module.sum:
            raise _mismatch(module, f"expected {module.sum}\nreceived {answer['Sum']}")
        return Path(answer["Dir"])

    async def _downloaded(self, module: GoModule | str, *, directory: Path, workspace: Path) -> Mapping[str, str]:
        """What `go mod download` says of a module that it has then; without a version, of the one that is needed.

        Raises ChecksumMismatch and Unavailable.
        """
        finished = await run(
            [self._needed(), "mod", "download", "-json", str(module)],
            environment=self._environment(_directory(workspace / "tmp")),
            directory=directory,
        )
        try:
            answer: dict[str, str] = json.loads(finished.stdout)
        except ValueError:
            answer = {}
        if finished.code == 0 and answer.get("Dir"):
            return answer
        complaint = str(answer.get("Error") or finished.stderr.strip() or f"exit code {finished.code}")
        if "no space left on device" in complaint:
            raise disk_full(workspace)
        if "SECURITY ERROR" in complaint:
            raise _mismatch(module, complaint)
        raise Unavailable(f"go mod download {module} failed: {complaint}")


class _Talk:
    """What go says while it builds: `go: downloading ...` lines, package names, and complaints."""

    def __init__(self, package: str, progress: Callable[[int, str], object]) -> None:
        self._package = package
        self._progress = progress
        self._compiled = 0
        self._complaints: deque[str] = deque(maxlen=_TAIL)

    def hear(self, line: str) -> None:
        if line.startswith("go: downloading "):
            self._progress(self._compiled, line.removeprefix("go: "))
        elif _PACKAGE.fullmatch(line):
            self._compiled += 1
            what = "linking" if line == self._package else f"compiling {line}"
            self._progress(self._compiled, f"{what} ({self._compiled} packages so far)")
        elif line and not line.startswith("#"):
            self._complaints.append(line.strip())

    def complaint(self) -> str:
        return "; ".join(self._complaints) or "it said nothing"


def _directory(path: Path) -> Path:
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


@dataclass(frozen=True, slots=True)
class _Copy:
    """A copy of a module's sources with some text replaced; go refuses to build with changes in its own cache."""

    sources: Path
    target: Path
    replacements: Sequence[Replacement]

    def make(self, leave: Leave) -> Path:
        """Blocking; runs in a thread."""
        with writing(self.target):
            for directory, _, names in os.walk(self.sources):
                copy = self.target / Path(directory).relative_to(self.sources)
                with leave.held():
                    # Not with the permissions of the original, which nobody may write to or remove.
                    copy.mkdir(parents=True)
                for name in names:
                    with leave.held():
                        shutil.copyfile(Path(directory, name), copy / name)
            for one in self.replacements:
                file = self.target / one.file
                text = file.read_text(encoding="utf-8") if file.is_file() else ""
                if one.old not in text:
                    raise Unavailable(f"{one.file} has no {one.old!r} that could be replaced")
                with leave.held():
                    file.write_text(text.replace(one.old, one.new), encoding="utf-8")
        return self.target


def _copy_module(source: Path, workspace: Path) -> Path:
    """A private, writable copy: the installed package may be read-only, and go locks files beside go.mod."""
    copy = _directory(workspace / "module")
    with writing(copy):
        for name in ("go.mod", "go.sum"):
            (copy / name).write_bytes((source / name).read_bytes())
    return copy


def _wrapper_of(module: GoModule) -> Path | None:
    for file in sorted(MODULES.rglob("go.mod")):
        lines = file.read_text(encoding="utf-8").splitlines()
        if any(line.split()[:2] == [module.path, module.version] for line in lines):
            return file.parent
    return None


def _mismatch(module: GoModule | str, found: str) -> ChecksumMismatch:
    return ChecksumMismatch(
        f"the sources of {module} have the wrong checksum\n{textwrap.indent(found.strip(), '  ')}",
        hint="they may have been changed in transit: check the module proxy and where the sum comes from; "
        "`go clean -modcache` removes what is here",
    )
