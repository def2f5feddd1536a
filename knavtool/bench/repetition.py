"""One repetition of one contender: what became of it, as it is kept in a file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import orjson

from knavtool.atomic import FOR_PEOPLE, atomic_write
from knavtool.bench.planning import Slot
from knavtool.errors import DocumentError
from knavtool.measure.names import all_names, unit_of
from knavtool.measure.table import Measure
from knavtool.report.files import as_output_error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NAME = "repetition.json"


class Status(StrEnum):
    """How a repetition ended: `FAILED` in a check, `BROKEN` by an error, of its cluster or of the run."""

    OK = "ok"
    FAILED = "failed"
    BROKEN = "broken"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """`attempt` counts from 1. `marks` say why its numbers are not to be trusted, `limits` why
    the machine and not the scheduler was the limit, `notes` what else must be known.

    `seconds` are those of `start`, `nodes`, `run` and `end`, as far as it came; `components` have name, version,
    settings and what the user changed, `tunables` what bounds how fast each works. `began` is ISO 8601 by the wall
    clock. `cluster` says which one it was, if it is one that existed before.
    """

    slot: Slot
    attempt: int
    status: Status
    began: str
    message: str = ""
    cluster: str = ""
    marks: Sequence[str] = ()
    limits: Sequence[str] = ()
    notes: Sequence[str] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    measures: Mapping[str, Measure] = field(default_factory=dict)
    components: Sequence[Mapping[str, Any]] = ()
    tunables: Sequence[Mapping[str, Any]] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)

    @property
    def started(self) -> bool:
        """Whether its cluster came up."""
        return "start" in self.seconds

    @property
    def whole(self) -> float:
        """Seconds from the start of its cluster to its removal."""
        return sum(self.seconds.values())

    def save(self, directory: Path) -> None:
        """Write it down, whole or not at all; raises OutputError."""
        content = {**asdict(self), "measures": {name: _written(one) for name, one in self.measures.items()}}
        text = orjson.dumps(content, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        with as_output_error(f"cannot write {directory / NAME}"):
            atomic_write(directory / NAME, text, mode=FOR_PEOPLE)


def load(directory: Path) -> Repetition | None:
    """The repetition of a directory, None if it did not end; raises DocumentError if its file cannot be read."""
    file = directory / NAME
    try:
        content = orjson.loads(file.read_bytes())
        measures = {
            name: _measure(name, content["measures"][name]) for name in content["measures"].keys() & all_names()
        }
        read = {"slot": Slot(**content["slot"]), "status": Status(content["status"]), "measures": measures}
        content = {"tunables": ()} | content  # the first ones had none
        lists = {name: tuple(content[name]) for name in ("marks", "limits", "notes", "components", "tunables")}
        return Repetition(**{**content, **read, **lists})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DocumentError(
            f"{file} cannot be read ({type(error).__name__}: {error})", hint="remove it to run that repetition again"
        ) from error


def _written(one: Measure) -> dict[str, Any]:
    return {"value": one.value, "n": one.n} | ({"why": one.why} if one.why else {})


def _measure(name: str, given: Mapping[str, Any]) -> Measure:
    value = given["value"]
    return Measure(
        name=name,
        value=None if value is None else float(value),
        unit=unit_of(name),
        n=int(given["n"]),
        why=given.get("why", ""),
    )
