"""The progress of a bench on stderr: a table that fills on a terminal, a line for each repetition elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from knavtool.bench.repetition import Status
from knavtool.bench.words import shown
from knavtool.cli import progress, streams
from knavtool.cli.options import Globals, LogFormat
from knavtool.events import Listeners, Noted, StepEnded, StepProgressed, Steps, StepStarted

if TYPE_CHECKING:
    from rich.console import RenderableType

    from knavtool.bench.planning import Slot
    from knavtool.bench.repetition import Repetition
    from knavtool.bench.running import Progress
    from knavtool.events import Event, StepId

_BUILDS = ("build", "download")


@contextmanager
def watching(settings: Globals) -> Iterator[tuple[Steps, Callable[[Progress], None]]]:
    """Steps, and what is to be told of the whole; with -v or as JSON every step is shown, as in any other command."""
    if settings.verbose or settings.log_format is LogFormat.JSON:
        with progress.steps(settings) as steps:
            yield steps, lambda _: None
    elif sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb"):
        with _on_terminal() as both:
            yield both
    else:
        lines = _Lines()
        yield Steps(Listeners(lines)), lines.told


class _Lines:
    """One line for each repetition that ends, and for each program that is built first."""

    def __init__(self) -> None:
        self._told: int | None = None
        self._building: dict[StepId, str] = {}

    def __call__(self, event: Event) -> None:
        """Take one event in."""
        match event:
            case StepStarted() if event.kind in _BUILDS:
                self._building[event.step] = event.name
                streams.say(f"...  {event.name} {event.detail}".rstrip())
            case StepEnded() if event.step in self._building:
                streams.say(f"{event.result}  {self._building.pop(event.step)} {event.message}".rstrip())
            case Noted() if event.warning:
                streams.say(f"warning: {event.message}")

    def told(self, found: Progress) -> None:
        """Say what has ended since."""
        ended = [one for slot in found.slots for one in found.attempts.get(slot, ())]
        if found.now is None and self._told is not None and len(ended) > self._told:
            last = max(ended, key=lambda one: one.began)
            rest = found.remaining()
            left = f"; {found.done} of {len(found.slots)} done, {duration(rest)} left" if rest else ""
            streams.say(f"{_word(last)}  {last.slot}: {_outcome(found, last)}{left}")
        self._told = len(ended)


def _word(one: Repetition) -> str:
    return "ok" if one.status is Status.OK else str(one.status)


def _outcome(found: Progress, one: Repetition) -> str:
    """The first measure of a repetition, or why it has none; and why it is not to be trusted."""
    measure = found.bench.measures[0]
    known = one.measures.get(measure)
    told = f"{measure} {shown(known.value, measure)}" if known is not None and known.value is not None else ""
    parts = [told, f"{one.whole:.0f} s in all", *([one.message] if one.message else []), *one.marks]
    return ", ".join(filter(None, parts))


def duration(seconds: float) -> str:
    """For people: 45 s, 12 min, 2.5 h."""
    if seconds < 5400:
        return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class _Now:
    """What goes on, from the open steps."""

    def __init__(self) -> None:
        self._open: dict[StepId, str] = {}
        self.warnings: list[str] = []

    def __call__(self, event: Event) -> None:
        """Take one event in."""
        match event:
            case StepStarted():
                self._open[event.step] = event.name
            case StepProgressed() if event.step in self._open:
                name = self._open[event.step].partition(" (")[0]
                self._open[event.step] = f"{name} ({event.done}{f' of {event.total}' if event.total else ''})"
            case StepEnded():
                self._open.pop(event.step, None)
            case Noted() if event.warning:
                self.warnings.append(event.message)

    @property
    def text(self) -> str:
        """The deepest steps."""
        names = list(self._open.values())
        return " › ".join(names[1:3] + names[-1:]) if len(names) > 3 else " › ".join(names)  # noqa: RUF001


@contextmanager
def _on_terminal() -> Iterator[tuple[Steps, Callable[[Progress], None]]]:
    from rich.console import Console
    from rich.live import Live

    now, console = _Now(), Console(stderr=True)
    state: list[Progress] = []
    began = time.monotonic()

    def render() -> RenderableType:
        return _table(state[0], now, time.monotonic() - began) if state else ""

    with Live(get_renderable=render, console=console, refresh_per_second=4) as live:

        def told(found: Progress) -> None:
            state[:] = [found]
            live.refresh()

        yield Steps(Listeners(now)), told
    for warning in dict.fromkeys(now.warnings):
        streams.say(f"warning: {warning}")


def _table(found: Progress, now: _Now, elapsed: float) -> RenderableType:
    """Contenders in rows, repetitions in columns, what goes on below."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    file = found.bench.file
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(Text(file.name, style="bold"), no_wrap=True)
    if file.warm_up:
        table.add_column("warm-up", justify="right")
    for number in range(1, file.repetitions + 1):
        table.add_column(str(number), justify="right", no_wrap=True)
    by_row: dict[tuple[str, str], dict[int, Slot]] = {}
    for slot in found.slots:
        by_row.setdefault((slot.scenario, slot.contender), {})[slot.number] = slot
    numbers = range(0 if file.warm_up else 1, file.repetitions + 1)
    for (scenario, contender), slots in by_row.items():
        name = f"{contender}, {scenario}" if scenario else contender
        table.add_row(name, *(_cell(found, slots[number]) if number in slots else "" for number in numbers))
    rest = found.remaining()
    told = f"{found.done} of {len(found.slots)}, {duration(elapsed)} gone"
    told += f", about {duration(rest)} left" if rest is not None else ""
    going_on = f"{found.now}: {now.text}" if found.now is not None else ""
    doing = Text(going_on, style="dim", no_wrap=True, overflow="ellipsis")
    measure = Text(f"{found.bench.measures[0]}; * marked", style="dim")
    return Group(table, measure, Text(told), doing)


def _cell(found: Progress, slot: Slot) -> RenderableType:
    from rich.text import Text

    if found.now == slot:
        return Text("…", style="yellow")
    counted = found.counted(slot)
    if counted is None:
        if found.skipped(slot):
            return Text("-", style="dim")
        return Text("failed", style="red") if found.attempts.get(slot) else Text("·", style="dim")
    measure = found.bench.measures[0]
    known = counted.measures.get(measure)
    value = shown(known.value, measure) if known is not None and known.value is not None else "ok"
    return Text(value + (" *" if counted.marks else ""), style="green" if not counted.marks else "yellow")
