"""The tree of records that a stream of events amounts to; every report is written from it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, assert_never

from knavtool.events import Noted, Result, StepEnded, StepProgressed, StepStarted
from knavtool.report.rate import Rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from knavtool.events import Event, StepId


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that was told about a step."""

    message: str
    warning: bool = False


@dataclass(slots=True, kw_only=True)
class Record:
    """One step, filled while events arrive; times are of the steps' clock, and `result` is None while it is open."""

    kind: str
    name: str
    detail: str = ""
    started: float = 0.0
    ended: float | None = None
    result: Result | None = None
    message: str = ""
    data: Mapping[str, object] = field(default_factory=dict)
    done: int = 0
    total: int = 0
    progress_detail: str = ""
    unit: str = ""
    rate: Rate = field(default_factory=Rate, compare=False, repr=False)
    children: list[Record] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def seconds(self) -> float | None:
        """How long the step took, once it has ended."""
        return None if self.ended is None else self.ended - self.started

    @property
    def description(self) -> str:
        """What the user wrote about it, as one line."""
        return " ".join(str(self.data.get("description") or "").split())

    def walk(self) -> Iterator[Record]:
        """This record and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def find(self, kind: str) -> Iterator[Record]:
        """The nearest records of a kind: below a match it does not look further."""
        for record in self.children:
            if record.kind == kind:
                yield record
            else:
                yield from record.find(kind)


class Recorder:
    """Folds events into records; it is itself an `Emit`.

    `epoch` is what must be added to the steps' clock to get seconds since 1970; `clock` is the steps' clock.
    """

    def __init__(self, *, epoch: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.epoch = epoch
        self._clock = clock
        self.roots: list[Record] = []
        self.notes: list[Note] = []
        self._records: dict[StepId, Record] = {}

    def __call__(self, event: Event) -> None:
        """Take one event in; what belongs to an unknown step goes to the top."""
        match event:
            case StepStarted():
                record = Record(
                    kind=event.kind,
                    name=event.name,
                    detail=event.detail,
                    started=event.at,
                    data=event.data,
                    rate=Rate(event.at),
                )
                self._records[event.step] = record
                parent = self._records.get(event.parent) if event.parent is not None else None
                (self.roots if parent is None else parent.children).append(record)
            case StepProgressed():
                if (open_ := self._records.get(event.step)) is not None:
                    open_.done, open_.total, open_.progress_detail = event.done, event.total, event.detail
                    open_.unit = event.unit
                    open_.rate.put(self._clock(), event.done)
            case StepEnded():
                if (open_ := self._records.get(event.step)) is not None:
                    open_.ended, open_.message = event.at, event.message
                    open_.data = {**open_.data, **event.data}
                    open_.result = event.result
            case Noted():
                about = self._records.get(event.step) if event.step is not None else None
                (self.notes if about is None else about.notes).append(
                    Note(message=event.message, warning=event.warning)
                )
            case _:
                assert_never(event)

    def at(self, step: StepId) -> Record | None:
        """The record of a step."""
        return self._records.get(step)

    @property
    def record(self) -> Record:
        """The whole: the only root, or one record that holds several."""
        if len(self.roots) == 1:
            return replace(self.roots[0], notes=[*self.notes, *self.roots[0].notes])
        return together(self.roots, self.notes)


def together(roots: list[Record], notes: list[Note]) -> Record:
    """One record that spans several."""
    ends = [record.ended for record in roots if record.ended is not None]
    results = [record.result for record in roots if record.result is not None]
    worst = next((one for one in (Result.FAILED, Result.CANCELLED) if one in results), Result.OK)
    return Record(
        kind="run",
        name="knavtool",
        started=min((record.started for record in roots), default=0.0),
        ended=max(ends, default=0.0),
        result=worst,
        children=roots,
        notes=notes,
    )


def failures(record: Record) -> Iterator[Record]:
    """The records in which something failed first: failed themselves, with nothing failed below for the same reason."""
    for each in record.walk():
        if each.result is Result.FAILED and not any(
            child.result is Result.FAILED and child.message == each.message for child in each.children
        ):
            yield each
