"""Progress as lines, for logs: one line when a step ends, a headline above steps that hold others, signs of life."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self, TextIO, assert_never

from knavtool.events import Noted, StepEnded, StepProgressed, StepStarted
from knavtool.report import text
from knavtool.report.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from knavtool.events import Event, StepId
    from knavtool.report.recorder import Record

NAME_WIDTH = 44
FIRST_SIGN = 15.0  # a step that takes longer is named, so that a log shows what is being waited for
NEXT_SIGN = 60.0  # CI systems end jobs that are silent for some minutes


class Lines:
    """Plain lines. Steps inside a task are told only if they fail or `verbose` is set."""

    def __init__(self, stream: TextIO, *, verbose: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._verbose = verbose
        self._clock = clock
        self._recorder = Recorder(clock=clock)
        self._parents: dict[StepId, StepId | None] = {}
        self._open: dict[StepId, float] = {}  # when the next sign of life of an open step is due
        self._headlines: list[StepId] = []  # the steps under which the last line was written, outermost first
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._watch = threading.Thread(target=self._give_signs, name="signs of life", daemon=True)

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._watch.join()

    def __call__(self, event: Event) -> None:
        """Take one event in."""
        with self._lock:
            self._recorder(event)
            match event:
                case StepStarted():
                    self._parents[event.step] = event.parent
                    self._open[event.step] = event.at + FIRST_SIGN
                case StepProgressed():
                    pass
                case StepEnded():
                    self._open.pop(event.step, None)
                    self._ended(event.step)
                case Noted():
                    self._noted(event)
                case _:
                    assert_never(event)

    def give_signs(self, now: float) -> None:
        """Name the innermost steps that have been open for long."""
        with self._lock:
            holding = {self._parents[step] for step in self._open}
            for step, due in self._open.items():
                if now >= due and step not in holding and (record := self._recorder.at(step)) is not None:
                    self._open[step] = now + NEXT_SIGN
                    self._line(step, "...", record, now - record.started, text.progress(record, now))

    def _give_signs(self) -> None:
        # Whoever read the stream may have gone; the command itself will meet that error and tell it.
        with contextlib.suppress(OSError, ValueError):
            while not self._closed.wait(1.0):
                self.give_signs(self._clock())

    def _ended(self, step: StepId) -> None:
        record = self._recorder.at(step)
        if record is None or record.result is None or (self._inside_task(step) and not self._worth_telling(record)):
            return
        self._line(step, text.WORDS[record.result], record, record.seconds or 0.0, text.headline(record))

    def _worth_telling(self, record: Record) -> bool:
        return self._verbose or record.result != "ok"

    def _inside_task(self, step: StepId) -> bool:
        parent = self._parents.get(step)
        while parent is not None:
            record = self._recorder.at(parent)
            if record is not None and record.kind == "task":
                return True
            parent = self._parents.get(parent)
        return False

    def _noted(self, event: Noted) -> None:
        if event.step is not None:
            self._headline(event.step)
        depth = len(self._headlines) if event.step is not None else 0
        word = "warning: " if event.warning else ""
        self._write("  " * depth + word + event.message.replace("\n", "\n" + "  " * (depth + 1)))

    def _line(self, step: StepId, word: str, record: Record, seconds: float, message: str) -> None:
        parent = self._parents.get(step)
        if parent is None:
            self._headlines.clear()
        else:
            self._headline(parent)
        indent = "  " * len(self._headlines)
        name = _name(record)
        line = f"{indent}{word:<9} {name:<{max(NAME_WIDTH - len(indent), 12)}} {text.duration(seconds):>7}"
        self._write(f"{line}  {message}" if message else line)

    def _headline(self, step: StepId) -> None:
        """Make sure the last headline is that of `step`; if a concurrent step came between, it is written again."""
        if step in self._headlines:
            del self._headlines[self._headlines.index(step) + 1 :]
            return
        parent = self._parents.get(step)
        if parent is None:
            self._headlines.clear()
        else:
            self._headline(parent)
        record = self._recorder.at(step)
        if record is not None:
            self._write("  " * len(self._headlines) + _name(record))
            self._headlines.append(step)

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


def _name(record: Record) -> str:
    return f"{record.name} ({record.detail})" if record.detail else record.name


class JsonLines:
    """One JSON object per event; progress of one step at most once a second, and its last."""

    def __init__(self, stream: TextIO, *, epoch: float) -> None:
        self._stream = stream
        self._epoch = epoch
        self._started: dict[StepId, float] = {}
        self._told: dict[StepId, float] = {}

    def __call__(self, event: Event) -> None:
        """Write one event."""
        match event:
            case StepStarted():
                self._started[event.step] = event.at
                self._write(
                    "started",
                    event.at,
                    step=event.step,
                    parent=event.parent,
                    kind=event.kind,
                    name=event.name,
                    detail=event.detail,
                    data=dict(event.data),
                )
            case StepProgressed():
                now = time.monotonic()
                if event.done == event.total or now - self._told.get(event.step, 0.0) >= 1.0:
                    self._told[event.step] = now
                    self._write(
                        "progressed",
                        now,
                        step=event.step,
                        done=event.done,
                        total=event.total,
                        detail=event.detail,
                        unit=event.unit,
                    )
            case StepEnded():
                self._write(
                    "ended",
                    event.at,
                    step=event.step,
                    result=event.result,
                    duration=round(event.at - self._started.get(event.step, event.at), 3),
                    message=event.message,
                    data=dict(event.data),
                )
            case Noted():
                self._write("noted", time.monotonic(), step=event.step, message=event.message, warning=event.warning)
            case _:
                assert_never(event)

    def _write(self, event: str, at: float, /, **said: object) -> None:
        when = datetime.fromtimestamp(at + self._epoch, tz=UTC).isoformat(timespec="milliseconds")
        line = {"time": when.replace("+00:00", "Z"), "event": event} | {
            key: one for key, one in said.items() if one not in ("", {})
        }
        self._stream.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
        self._stream.flush()
