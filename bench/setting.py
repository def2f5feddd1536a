"""What all measurements share: how often, how much, where, with which programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from knavtool.toolchain.pins import load_pins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

T = TypeVar("T")

KNAVTOOL = str(Path(sys.executable).with_name("knavtool"))
MARKER = "KNAVTOOLBENCH_SESSION"
"""Every process that is started here carries this variable, so that one that left its parent can be found."""
_KEPT = ("KNAVTOOL_MIRROR", "KNAVTOOL_OFFLINE", "KNAVTOOL_SOURCE")
_QUICK = 10
PROMETHEUS = "prometheus"
NEEDED = frozenset(load_pins().programs) - {PROMETHEUS}
"""The programs of a local cluster; those of components are not measured."""


class BenchError(Exception):
    """A measurement could not be made."""


class Kept:
    """One thing that is made when it is first asked for, and ended with the program."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._made: Any = None

    def get(self, make: Callable[[], AbstractContextManager[T]]) -> T:
        """The thing, made by `make` if nobody asked before."""
        if self._made is None:
            self._made = self._stack.enter_context(make())
        made: T = self._made
        return made

    def close(self) -> None:
        """End it."""
        self._made = None
        self._stack.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """`repeat` runs of each; `quick` makes everything a tenth as large. Nothing is written outside `directory`.

    `kept` holds what measurements share, and ends it.
    """

    repeat: int
    quick: bool
    directory: Path
    programs: Mapping[str, str]
    kept: Kept = field(default_factory=Kept)

    def count(self, full: int) -> int:
        """How many of `full` objects to work with."""
        return full // _QUICK if self.quick else full

    def file(self, name: str, text: str) -> Path:
        """Write a file for the commands under test."""
        path = self.directory / name
        path.write_text(text)
        return path

    def environment(self) -> dict[str, str]:
        """The environment of a command that needs no cluster."""
        return environment(self.directory, "")


def tell(text: str) -> None:
    """Progress for people."""
    print(text, file=sys.stderr, flush=True)


def environment(directory: Path, session: str) -> dict[str, str]:
    """The environment of a command: its kubeconfig and data are below `directory`, the cache of programs is the user's.

    Options that the user gave by variables go; where programs come from is the machine's business and stays.
    """
    own = ("KNAVTOOL_", "KWOK_", "XDG_DATA_", "XDG_STATE_", "XDG_CONFIG_")
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(own) or key in _KEPT or (key.startswith("KNAVTOOL_") and key.endswith("_BINARY"))
    }
    return kept | {
        "KUBECONFIG": str(directory / "kubeconfig"),
        "KWOK_WORKDIR": str(directory / "kwok"),
        "XDG_CONFIG_HOME": str(directory / "config"),
        "XDG_DATA_HOME": str(directory / "data"),
        "XDG_STATE_HOME": str(directory / "state"),
        MARKER: session,
    }


def programs() -> dict[str, str]:
    """The path of each program of a local cluster that this machine has; raises BenchError if one is missing."""
    answer = subprocess.run([KNAVTOOL, "toolchain", "list", "-o", "json"], stdout=subprocess.PIPE, check=True).stdout
    return found(json.loads(answer))


def found(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The paths of programs by their names, from the rows of `toolchain list`, which lists those of components too.

    Without Prometheus something is left out; without any other program nothing can be measured.
    """
    paths = {row["name"]: row["path"] for row in rows if row["installed"] and row["name"] in NEEDED | {PROMETHEUS}}
    if missing := sorted(NEEDED - paths.keys()):
        raise BenchError(f"not installed: {', '.join(missing)}; `knavtool toolchain install` installs them")
    if PROMETHEUS not in paths:
        tell("left out: clusters with Prometheus, which is not installed")
    return paths
