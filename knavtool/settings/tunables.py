"""Values that bound how fast a process works, whatever its algorithm: client QPS, workers, periods, back-offs.

A comparison of two programs is fair only if these are alike, or if their difference is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from knavtool.settings import paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

RUNTIME: Mapping[str, str] = {"processors": "GOMAXPROCS", "GOGC": "GOGC"}
"""Tunables of Go's runtime, which no record names, by the variable that sets them."""

TITLES: Mapping[str, str] = {
    "clientQPS": "client QPS",
    "clientBurst": "client burst",
    "workers": "workers",
    "schedulePeriod": "schedule period",
    "initialBackoff": "initial back-off",
    "maxBackoff": "maximum back-off",
    "logLevel": "log level",
    "processors": "processors",
    "GOGC": "GOGC",
}
"""What people read, by the name of a tunable, in the order in which they are listed."""

_LEVELS = {"0": "info", "1": "debug"}
"""The names of verbosities, where loggers have both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunable:
    """Where one of these values stands for a process, and what it is if nothing is set.

    A `flag` comes before the configuration, where the value is at a `path`. The configuration is the file that the flag
    `config` names, or an object of an `override`. A number there gets the `unit` behind it. `of` says what
    workers work on. An empty `default` is not known.
    """

    name: str
    of: str = ""
    flag: str = ""
    path: str = ""
    override: str = ""
    unit: str = ""
    default: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """The value of a tunable, and where it comes from: `flag`, `configuration`, `environment` or `default`.

    Both are empty if it is not known.
    """

    name: str
    of: str = ""
    value: str = ""
    source: str = ""


def read_tunables(written: Mapping[str, Any]) -> tuple[Tunable, ...]:
    """Those of the part `tunables` of a record; workers are listed by what they work on."""
    several = {name: one if name == "workers" else {"": one} for name, one in written.items()}
    return tuple(
        Tunable(
            name=name,
            of=of,
            flag=one.get("flag", ""),
            path=one.get("path", ""),
            override=one.get("override", ""),
            unit=one.get("unit", ""),
            default=text(one.get("default", "")),
        )
        for name, of_all in several.items()
        for of, one in of_all.items()
    )


def tuned(tunable: Tunable, flags: Mapping[str, str], documents: Sequence[Any] | None) -> Tuned:
    """The value of a tunable: that of its flag, else that in the `documents` of its configuration, else the default.

    Without `documents`, the configuration is there but cannot be read.
    """
    value, source = _found(tunable, flags, documents)
    if tunable.name == "logLevel":
        value = _LEVELS.get(value, value)
    return Tuned(name=tunable.name, of=tunable.of, value=value, source=source if value else "")


def _found(tunable: Tunable, flags: Mapping[str, str], documents: Sequence[Any] | None) -> tuple[str, str]:
    if tunable.flag in flags:
        return text(flags[tunable.flag]), "flag"
    if tunable.path:
        if documents is None:
            return "", ""
        if (value := _first(documents, tunable.path)) is not None:
            return text(value, tunable.unit), "configuration"
    return tunable.default, "default"


def _first(documents: Iterable[Any], path: str) -> Any:
    """What is at a path in the first document that has it, None if none does."""
    found = (paths.find(one, paths.path_of(path)) for one in documents)
    return next((value for value in found if value is not None), None)


def text(value: Any, unit: str = "") -> str:
    """A value as it is compared and shown: `5000` also for `5000.0`, `info` also for `INFO`."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value).lower()
    return f"{int(number) if number.is_integer() else number}{unit}"
