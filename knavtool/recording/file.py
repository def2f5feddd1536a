"""The file of facts that a run writes while it goes on: JSON lines, in gzip members of a second each."""

from __future__ import annotations

import asyncio
import gzip
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from knavtool.atomic import FOR_PEOPLE
from knavtool.events import Noted, StepEnded, StepStarted
from knavtool.measure.reading import FORMAT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from knavtool.events import Event

_EVERY = 1.0
"""Seconds after which what was recorded is in the file; a process that is killed loses no more."""
_LEVEL = 6


class Recording:
    """Facts in the order in which they are written; `at` is seconds since the recording began, by `clock`.

    `epoch` is what must be added to the clock to get seconds since 1970. A file that cannot be written any more, as on
    a full disk, ends the recording, not the run: `failure` says why, and what was written stays readable.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float], epoch: float) -> None:
        self.path = path
        self.failure: OSError | None = None
        self._clock = clock
        self._began = clock()
        self._lines: list[bytes] = []
        self._due: asyncio.TimerHandle | None = None
        self._file = -1
        self._made = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FOR_PEOPLE)
            self._made = True
        except OSError as error:
            self.failure = error
        began = datetime.fromtimestamp(self._began + epoch, UTC).isoformat()
        self.write(fact="recording", format=FORMAT, began=began)

    def now(self) -> float:
        """Seconds since the recording began."""
        return self._clock() - self._began

    def write(self, *, at: float | None = None, seen: float | None = None, **fact: object) -> None:
        """Record a fact of this moment, or of `at`; fields without a value are left out.

        `seen` is when it became known, if that is known to be later than the fact.
        """
        if self.failure is not None or self._file < 0:
            return
        line: dict[str, object] = {"fact": fact.pop("fact"), "at": round(self.now() if at is None else at, 6)}
        if seen is not None:
            line["seen"] = round(seen, 6)
        line |= {key: value for key, value in fact.items() if value not in (None, "", {}, [])}
        self._lines.append(orjson.dumps(line))
        if self._due is None:
            try:
                self._due = asyncio.get_running_loop().call_later(_EVERY, self.flush)
            except RuntimeError:
                self.flush()  # no loop runs yet, or none any more

    def flush(self) -> None:
        """Write what is there as one gzip member, so that the file is whole at any time."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if not self._lines or self.failure is not None:
            return
        member = gzip.compress(b"\n".join(self._lines) + b"\n", _LEVEL, mtime=0)
        self._lines.clear()
        size = os.fstat(self._file).st_size
        try:
            while member:
                member = member[os.write(self._file, member) :]
        except OSError as error:
            self.failure = error
            os.ftruncate(self._file, size)  # half a member could not be read

    def close(self, *, keep: bool = True) -> None:
        """Write the rest and the end, without which a recording was cut off; without `keep` remove the file.

        One that is closed already may still be removed.
        """
        if self._file >= 0:
            self.write(fact="end")
            self.flush()
            os.close(self._file)
            self._file = -1
        if self._made and not keep:
            self._made = False
            self.path.unlink(missing_ok=True)

    def __call__(self, event: Event) -> None:
        """Record the steps of the run, as a listener to its events."""
        if isinstance(event, StepStarted):
            self.write(
                fact="step",
                event="started",
                step=event.step,
                parent=event.parent,
                kind=event.kind,
                name=event.name,
                detail=event.detail,
            )
        elif isinstance(event, StepEnded):
            self.write(fact="step", event="ended", step=event.step, result=str(event.result), message=event.message)
        elif isinstance(event, Noted):
            self.write(fact="note", step=event.step, message=event.message, warning=event.warning or None)
