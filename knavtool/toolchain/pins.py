"""The pinned programs: what `pins.yaml` and the records of components say, for one operating system and processor."""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from knavtool.documents.version import PATTERN
from knavtool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HERE = Path(__file__).resolve().parent
MODULES = _HERE / "modules"
"""One directory per wrapper module: a go.mod and a go.sum that pin everything a build reads."""

PINS = _HERE / "pins.yaml"
KUBERNETES = _HERE / "kubernetes.yaml"

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class Platform(NamedTuple):
    """An operating system and a processor, by the names that Go and the release files use."""

    os: str
    arch: str

    def __str__(self) -> str:
        return f"{self.os}/{self.arch}"

    @property
    def directory(self) -> str:
        """A name for files of this platform."""
        return f"{self.os}-{self.arch}"


def host_platform() -> Platform:
    """The platform of this machine."""
    machine = platform.machine().lower()
    return Platform(sys.platform, _ARCHITECTURES.get(machine, machine))


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionCheck:
    """How a program is asked for its version; group 1 of `pattern` is the answer."""

    args: tuple[str, ...]
    pattern: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One downloadable file; one of `sha256` and `checksums` must be known, or it is not downloaded."""

    url: str
    sha256: str | None = None
    checksums: str | None = None
    member: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GoModule:
    """A published Go module. `sum` is its pinned h1 sum; without one Go's checksum database decides."""

    path: str
    version: str
    sum: str | None = None

    def __str__(self) -> str:
        return f"{self.path}@{self.version}"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A directory of the user with the sources of a project, which may change at any time."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """Text in a source file that is replaced for the build: of the module itself, or of another one that it needs."""

    file: str
    old: str
    new: str
    module: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """How `go build` makes a program: in the sources of a module or a checkout, or in one of our wrapper modules.

    A wrapper (its directory) is for programs that cannot be built where they were published, as Kubernetes and etcd.
    """

    module: GoModule | Checkout | Path
    package: str
    ldflags: str = ""
    tags: tuple[str, ...] = ()
    replace: tuple[Replacement, ...] = ()

    @property
    def recipe(self) -> str:
        """All that decides what is made of one version of a published module.

        "" for a wrapper, which pins all sources; if its flags are changed, the program's revision says so.
        """
        if isinstance(self.module, Path):
            return ""
        parts = (str(self.module.path), self.package, self.ldflags, self.tags, self.replace)
        # Only if there are any: what was built before modules could be named is still the same.
        named = tuple(one.module for one in self.replace)
        return repr((*parts, named) if any(named) else parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One pinned program for one platform; `release` is None if its publisher has no file for the platform.

    Without a `check` nothing tells its version, so that a program of that name on PATH is not trusted. `revision`
    counts how often the way in which this version is made was changed. An `interpreter` is the Python that runs us.
    `tried` are the versions that are known to work.
    """

    name: str
    version: str
    platform: Platform
    check: VersionCheck | None = None
    release: Release | None = None
    build: Build | None = None
    revision: int = 0
    interpreter: bool = False
    tried: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @property
    def recipe(self) -> str:
        """All that decides what is made of this version, "" if that was never changed."""
        return (self.build.recipe if self.build is not None else "") or (str(self.revision) if self.revision else "")

    @property
    def changes(self) -> bool:
        """Whether its sources may change, so that it has to be built each time; go knows what that takes."""
        return self.build is not None and isinstance(self.build.module, Checkout)

    @property
    def title(self) -> str:
        """Name and version, for people."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """All pinned programs, by name."""

    platform: Platform
    programs: Mapping[str, Program] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Releases:
    """The releases of Kubernetes that are known to work, oldest first, and the one that is used by default."""

    default: str
    tried: tuple[str, ...]


@cache
def _document(path: Path) -> Mapping[str, Any]:
    document: Mapping[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def kubernetes_releases() -> Releases:
    """The pinned releases of Kubernetes."""
    document = _document(KUBERNETES)
    return Releases(default=document["default"], tried=tuple(document["tried"]))


def kubernetes_release(text: str) -> str:
    """The release that `--kube-version` names: any one in full, or the newest that is pinned of a minor version.

    Raises UsageError for anything else.
    """
    tried = kubernetes_releases().tried
    number = text.removeprefix("v")
    if re.fullmatch(r"[0-9]+\.[0-9]+", number):
        of_minor = [one for one in tried if one.startswith(f"v{number}.")]
        if of_minor:
            return of_minor[-1]
    elif re.fullmatch(PATTERN, text):
        return f"v{number}"
    hint = f"known to work are {', '.join(tried)}"
    raise UsageError(f"--kube-version {text}: expected a release such as {tried[-1]}", hint=hint)


def load_pins(host: Platform | None = None, *, kubernetes: str = "", path: Path = PINS) -> Pins:
    """Read the pins for `host`, by default this machine, with those of a release of Kubernetes, by default ours."""
    host = host or host_platform()
    releases = kubernetes_releases()
    programs: dict[str, Program] = {}
    for name, record in _document(path).items():
        version = record["version"].format(kubernetes=kubernetes or releases.default)
        tried = releases.tried if record["version"] != version else (version,)
        programs |= read_programs({name: record}, version=version, tried=tried, host=host)
    return Pins(platform=host, programs=programs)


def read_programs(
    records: Mapping[str, Mapping[str, Any]], *, version: str, tried: Sequence[str] = (), host: Platform | None = None
) -> dict[str, Program]:
    """Read records of the form of `pins.yaml`, which have passed their schema, at a version for `host`."""
    host = host or host_platform()
    return {name: _program(name, record, version, tuple(tried), host) for name, record in records.items()}


def _program(name: str, record: Mapping[str, Any], version: str, tried: tuple[str, ...], host: Platform) -> Program:
    values = {
        "name": name,
        "version": version,
        "number": version.removeprefix("v"),
        "os": host.os,
        "arch": host.arch,
    }
    build, check = record.get("build"), record.get("check")
    return Program(
        name=name,
        version=version,
        platform=host,
        check=check and VersionCheck(args=tuple(check["args"]), pattern=check["pattern"]),
        release=_release(record.get("releases", ()), values, host),
        build=build and _build(build, values),
        revision=record.get("revision", 0),
        interpreter=record.get("interpreter", False),
        tried=tried,
    )


def _build(record: Mapping[str, Any], values: Mapping[str, str]) -> Build | None:
    module: GoModule | Checkout | Path
    if "checkout" in record:
        module = Checkout(Path(record["checkout"]))
    elif "wrapper" in record:
        module = wrapper = MODULES / record["wrapper"].format_map(values)
        if not wrapper.is_dir():
            return None
    else:
        module = GoModule(path=record["module"], version=f"v{values['number']}", sum=record.get("sum"))
    return Build(
        module=module,
        package=record["package"],
        ldflags=str(record.get("ldflags", "")).format_map(values),
        tags=tuple(record.get("tags", ())),
        replace=tuple(Replacement(**one) for one in record.get("replace", ())),
    )


def _release(records: Sequence[Mapping[str, Any]], values: Mapping[str, str], host: Platform) -> Release | None:
    for record in records:
        if str(host) not in record["platforms"]:
            continue
        url = record["url"].format_map(values)
        checksums, member = record.get("checksums"), record.get("member")
        return Release(
            url=url,
            sha256=record.get("sha256", {}).get(str(host)),
            checksums=checksums and checksums.format_map({**values, "url": url}),
            member=member and member.format_map(values),
        )
    return None
