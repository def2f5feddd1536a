"""What happens while a command works, as typed events.

Everything that takes time is a step. Steps nest: a run holds workflows, a workflow holds tasks, `cluster up`
holds components. Consoles, JSON, JUnit and HTML are folds of this one stream; nothing below `cli` prints.
"""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NewType, TypeAlias

from knavtool.errors import KnavError, primary_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

StepId = NewType("StepId", int)


class Result(StrEnum):
    """How a step ended."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A step began; `kind` is for example "workflow", "task", "process", "nodes".

    `data` is what is known from the start, as a description or the line of a file; the step ends with it and more.
    """

    step: StepId
    parent: StepId | None
    kind: str
    name: str
    at: float
    detail: str = ""
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgressed:
    """`done` of `total` units are finished; total 0 means unknown. The unit is a thing, or "B" for bytes."""

    step: StepId
    done: int
    total: int
    detail: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded:
    """A step ended; `message` is for people, `data` for machines (JSON types only)."""

    step: StepId
    result: Result
    at: float
    message: str = ""
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Something worth telling that is not a step."""

    message: str
    step: StepId | None = None
    warning: bool = False


Event: TypeAlias = StepStarted | StepProgressed | StepEnded | Noted
Emit: TypeAlias = "Callable[[Event], None]"


class Listeners:
    """An `Emit` that tells others, in their order and one event at a time; threads may use it.

    No listener can stop the work it is told of: one that raises is told nothing any more, and the others go on.
    """

    def __init__(self, *listeners: Emit) -> None:
        self._listening = list(listeners)
        self._lock = threading.Lock()
        self.failures: list[tuple[Emit, Exception]] = []
        """Who is told nothing any more, and why."""

    def add(self, listener: Emit) -> None:
        """Tell one more, after the others."""
        with self._lock:
            self._listening.append(listener)

    def __call__(self, event: Event) -> None:
        """Tell everybody who still listens."""
        with self._lock:
            for listener in tuple(self._listening):
                try:
                    listener(event)
                except Exception as error:  # noqa: BLE001 - whatever it is, the work that is told of must go on
                    self._listening.remove(listener)
                    self.failures.append((listener, error))


class Step:
    """An open step; made by `Steps.step`. Assign `result`, `message` and `data` before it closes."""

    def __init__(self, steps: Steps, id_: StepId, data: Mapping[str, object]) -> None:
        self.id = id_
        self.result = Result.OK
        self.message = ""
        self.data: dict[str, object] = dict(data)
        self._steps = steps

    def progress(self, done: int, total: int, detail: str = "", *, unit: str = "") -> None:
        """Tell how far the step is."""
        self._steps.emit(StepProgressed(step=self.id, done=done, total=total, detail=detail, unit=unit))

    def note(self, message: str, *, warning: bool = False) -> None:
        """Tell something about the step."""
        self._steps.emit(Noted(message=message, step=self.id, warning=warning))

    def nested(self) -> Steps:
        """A maker of steps below this one."""
        return Steps(self._steps.emit, parent=self.id, clock=self._steps.clock)


class Steps:
    """Makes steps and emits their events; `clock` gives seconds and is injected in tests.

    Whatever `emit` raises stays there: a step begins, works and ends the same whether anybody hears of it.
    """

    _ids = itertools.count(1)

    def __init__(
        self, emit: Emit, *, parent: StepId | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.emit: Emit = emit if isinstance(emit, Listeners) else Listeners(emit)
        self.clock = clock
        self._parent = parent

    @contextmanager
    def step(
        self, kind: str, name: str, detail: str = "", *, data: Mapping[str, object] | None = None
    ) -> Iterator[Step]:
        """Open a step; an exception that leaves the block ends it as failed, any other exit as its result says."""
        known = dict(data or {})
        step = Step(self, StepId(next(self._ids)), known)
        started = StepStarted(
            step=step.id, parent=self._parent, kind=kind, name=name, at=self.clock(), detail=detail, data=known
        )
        self.emit(started)
        try:
            yield step
        except BaseException as error:
            step.result = Result.FAILED if isinstance(error, Exception) else Result.CANCELLED
            if not step.message:
                step.message = _message(error)
            raise
        finally:
            self.emit(
                StepEnded(
                    step=step.id,
                    result=step.result,
                    at=self.clock(),
                    message=step.message,
                    data=dict(step.data),
                )
            )

    def heard_by(self, *listeners: Emit) -> Steps:
        """A maker of steps at the same place, of which these hear too, before the others."""
        return Steps(Listeners(*listeners, self.emit), parent=self._parent, clock=self.clock)

    def note(self, message: str, *, warning: bool = False) -> None:
        """Tell something that belongs to no step but the parent."""
        self.emit(Noted(message=message, step=self._parent, warning=warning))


def _message(error: BaseException) -> str:
    primary = primary_error(error)
    if not isinstance(primary, Exception):
        return ""  # cancelled or interrupted; the result says so
    return primary.message if isinstance(primary, KnavError) else (str(primary) or type(primary).__name__)
