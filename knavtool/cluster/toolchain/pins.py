"""The pinned programs: what `pins.yaml` says, for one operating system and processor."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

_HERE = Path(__file__).resolve().parent
MODULES = _HERE / "modules"
"""One directory per wrapper module: a go.mod and a go.sum that pin everything a build reads."""

PINS = _HERE / "pins.yaml"

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
class Build:
    """How `go build` makes a program."""

    module: str
    package: str
    ldflags: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One pinned program for one platform; `release` is None if its publisher has no file for the platform."""

    name: str
    version: str
    platform: Platform
    check: VersionCheck
    release: Release | None = None
    build: Build | None = None

    @property
    def title(self) -> str:
        """Name and version, for people."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """All pinned programs, by name."""

    platform: Platform
    programs: Mapping[str, Program] = field(default_factory=dict)


@cache
def _document(path: Path) -> Mapping[str, Any]:
    document: Mapping[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def load_pins(host: Platform | None = None, *, path: Path = PINS) -> Pins:
    """Read the pins for `host`, by default this machine."""
    host = host or host_platform()
    programs = {name: _program(name, record, host) for name, record in _document(path).items()}
    return Pins(platform=host, programs=programs)


def _program(name: str, record: Mapping[str, Any], host: Platform) -> Program:
    version = str(record["version"])
    values = {
        "name": name,
        "version": version,
        "number": version.removeprefix("v"),
        "os": host.os,
        "arch": host.arch,
    }
    build = record.get("build")
    return Program(
        name=name,
        version=version,
        platform=host,
        check=VersionCheck(args=tuple(record["check"]["args"]), pattern=record["check"]["pattern"]),
        release=_release(record.get("releases", ()), values, host),
        build=build
        and Build(
            module=build["module"],
            package=build["package"],
            ldflags=str(build.get("ldflags", "")).format_map(values),
            tags=tuple(build.get("tags", ())),
        ),
    )


def _release(records: list[Mapping[str, Any]], values: Mapping[str, str], host: Platform) -> Release | None:
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
