"""The directory of a bench: what was asked for, one directory for each repetition, and the result."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import orjson

from knavtool import __version__
from knavtool.atomic import FOR_PEOPLE, atomic_write
from knavtool.bench import repetition
from knavtool.bench.asking import Asked
from knavtool.engines.local.state.layout import data_directory, locked
from knavtool.errors import DocumentError, EngineError
from knavtool.report.files import as_output_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from knavtool.bench.planning import Planned, Slot
    from knavtool.bench.repetition import Repetition

NAME = "bench.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Directory:
    """Where a bench keeps what it finds."""

    path: Path

    @property
    def cluster(self) -> str:
        """The name of its clusters: another for each directory, and the same after an interruption."""
        return f"bench-{hashlib.sha256(str(self.path.absolute()).encode()).hexdigest()[:10]}"

    @property
    def kubeconfig(self) -> Path:
        """That of its clusters, which leads to them while they run."""
        return self.path / "kubeconfig"

    @property
    def starts(self) -> Path:
        """Clusters as they were when they were ready, with their keys, until the bench has ended."""
        return self.path / "starts"

    def of(self, bench: Planned, slot: Slot, attempt: int) -> Path:
        """The directory of one attempt at a repetition."""
        scenarios = [one.name for one in bench.scenarios]
        contenders = [one.name for one in bench.file.contenders]
        place = self.path / "runs"
        if len(scenarios) > 1:
            place /= _named(scenarios, slot.scenario)
        number = "warm-up" if slot.number == 0 else str(slot.number)
        return place / _named(contenders, slot.contender) / (number + (f"-attempt-{attempt}" if attempt > 1 else ""))

    def begin(self, asked: Asked, digest: str) -> None:
        """Make it, for a new bench; OutputError if it cannot be written, DocumentError if there is a bench already."""
        if (self.path / NAME).exists():
            hint = f"`knavtool bench --resume {self.path}` does what is missing there; or name another directory"
            raise DocumentError(f"{self.path} has a bench already", hint=hint)
        with as_output_error(f"cannot write to {self.path}"):
            self.path.mkdir(parents=True, exist_ok=True)
            content = {"format": FORMAT, "knavtool": __version__, "asked": asdict(asked), "digest": digest}
            atomic_write(self.path / NAME, orjson.dumps(content, option=orjson.OPT_INDENT_2), mode=FOR_PEOPLE)

    def asked(self) -> tuple[Asked, str]:
        """What was asked for, and the digest of the workload then; DocumentError if that cannot be known."""
        file = self.path / NAME
        try:
            content = orjson.loads(file.read_bytes())
            if content["format"] != FORMAT:
                raise DocumentError(
                    f"{file} was written by knavtool {content.get('knavtool', '?')} in format {content['format']}; "
                    f"this one reads format {FORMAT}",
                    hint="run the bench again with -o and another directory",
                )
            given = content["asked"]
            asked = Asked(**{**given, "on": tuple(given["on"]), "measures": tuple(given["measures"])})
            return asked, str(content["digest"])
        except FileNotFoundError:
            raise DocumentError(f"{self.path} is not the directory of a bench: it has no {NAME}") from None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DocumentError(f"{file} cannot be read ({type(error).__name__}: {error})") from error

    def attempts(self, bench: Planned, slot: Slot) -> list[Repetition]:
        """What there is of a repetition, in the order of its attempts."""
        found = []
        for attempt in range(1, bench.file.retries + 2):
            one = repetition.load(self.of(bench, slot, attempt))
            if one is None:
                break
            found.append(one)
        return found


@contextlib.contextmanager
def alone(directory: Directory, environment: Mapping[str, str]) -> Iterator[None]:
    """Be the only bench of this user; two at once would measure each other."""
    told = f"process {os.getpid()}, {directory.path.absolute()}"
    with locked(data_directory(environment), ".bench", told) as holder:
        if holder is not None:
            message = f"another bench is running ({holder or 'unknown'}), and two at once would measure each other"
            raise EngineError(message, hint="wait until it is done")
        yield


def _named(names: list[str], name: str) -> str:
    """A name as one of a directory, another for each of them."""
    shorts = [re.sub(r"[^a-z0-9.]+", "-", one.lower()).strip("-.")[:60] for one in names]
    index = names.index(name)
    return shorts[index] if shorts[index] and shorts.count(shorts[index]) == 1 else f"{index + 1}-{shorts[index]}"
