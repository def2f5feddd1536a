"""Progress as a live tree on a terminal: open steps turn, finished ones stay with their time."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING, NamedTuple, Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from knavtool.events import Result
from knavtool.report import table, text
from knavtool.report.closing import closing
from knavtool.report.recorder import Note, Record, Recorder
from knavtool.report.sparkline import pulse_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.console import ConsoleOptions, OverflowMethod, RenderResult

    from knavtool.events import Event
    from knavtool.recording.pulse import Pulse

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
SYMBOLS = {
    Result.OK: ("✓", "green"),
    Result.FAILED: ("✗", "bold red"),
    Result.SKIPPED: ("-", "dim"),
    Result.CANCELLED: ("■", "yellow"),
}
ASCII_FRAMES = "|/-\\"
ASCII_SYMBOLS = {Result.OK: "+", Result.FAILED: "x", Result.SKIPPED: "-", Result.CANCELLED: "!"}
BAR_WIDTH = 20
NAME_WIDTH = 48
LEAST_ROOM = 12
"""Lines that a screen must have before some of them go to anything but the tree."""
NO_SYMBOL = Text(" ")


class TreeRow(NamedTuple):
    """One line of the tree: a step, a note about one, or what the user wrote about it."""

    depth: int
    about: Record | Note | str


def rows(records: Iterable[Record], *, verbose: bool, depth: int = 0) -> Iterator[TreeRow]:
    """The lines of a tree; tasks and rounds that went well are folded unless `verbose`."""
    for record in tuple(records):
        yield TreeRow(depth, record)
        if record.description:
            yield TreeRow(depth + 1, record.description)
        folded = record.kind == "task" and record.result is Result.OK and not verbose
        for note in tuple(record.notes):
            if note.warning or not folded:
                yield TreeRow(depth + 1, note)
        if not folded:
            yield from rows(
                (child for child in record.children if verbose or not _done_round(child)),
                verbose=verbose,
                depth=depth + 1,
            )


def _done_round(record: Record) -> bool:
    """Whether a record is a round that went well: its block counts it, and the next one takes its line."""
    return record.kind == "round" and record.result is Result.OK


class Tree:
    """Draws the records of a recorder; the columns only ever move to the right, when a longer name comes.

    Below them is the pulse of a run that is recorded, until it ends, if the screen has room for both.
    """

    def __init__(
        self,
        recorder: Recorder,
        *,
        verbose: bool = False,
        unicode: bool = True,
        pulse: Pulse | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recorder = recorder
        self._verbose = verbose
        self._unicode = unicode
        self._pulse = pulse
        # rich marks a cut with a character that other encodings do not have.
        self._overflow: OverflowMethod = "ellipsis" if unicode else "crop"
        self._clock = clock
        self._name_width = 0
        self.whole = False  # the last drawing shows everything, however tall

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw as many lines as fit; the newest and the open ones matter most."""
        # The terminal itself writes ^C after the last line; there must be room, or the tree moves down by a line.
        width = options.max_width - 3
        lines = [TreeRow(0, note) for note in tuple(self._recorder.notes)]
        lines += rows(self._recorder.roots, verbose=self._verbose)
        room = max(console.height - 2, 3)
        pulse = self._pulse_lines(width) if room >= LEAST_ROOM else []
        room -= len(pulse)
        if not self.whole and len(lines) > room:
            # What was written about a step is worth less than another step.
            lines = [row for row in lines if not isinstance(row.about, str)]
        if not self.whole and len(lines) > room:
            lines, hidden = _fit(lines, room - 1)
            yield Text(f"  {'…' if self._unicode else '...'} {hidden} more lines", style="dim", no_wrap=True)
        longest = max((_name(row).cell_len for row in lines if isinstance(row.about, Record)), default=0)
        self._name_width = max(self._name_width, longest)
        for row in lines:
            yield self._line(row, width)
        yield from pulse

    def _pulse_lines(self, width: int) -> list[Text]:
        """The pulse after a line that sets it apart; nothing unless a workflow runs: cleanups are not watched."""
        inside = (record for root in tuple(self._recorder.roots) for record in tuple(root.children))
        if self._pulse is None or not any(one.kind == "workflow" and one.result is None for one in inside):
            return []
        lines = list(pulse_lines(self._pulse.beats, width, unicode=self._unicode))
        return [Text(), *lines] if lines else []

    def _line(self, row: TreeRow, width: int) -> Text:
        if isinstance(row.about, Note):
            return self._note_line(row.about, row.depth, width)
        if isinstance(row.about, str):
            about = Text("  " * row.depth + row.about, style="dim italic", no_wrap=True, overflow=self._overflow)
            about.truncate(width, overflow=self._overflow)
            return about
        record = row.about
        line = Text(no_wrap=True, overflow=self._overflow)
        now = self._clock()
        line.append_text(_name(row, self._symbol(record, now)))
        line.truncate(max(min(self._name_width, NAME_WIDTH, width // 2), 10), overflow=self._overflow, pad=True)
        seconds = record.seconds if record.seconds is not None else now - record.started
        line.append(f"{text.duration(seconds):>8}", style="dim" if record.result is Result.OK else "")
        room = width - line.cell_len - 2
        if room >= 8 and (said := self._said(record, room, now)).plain:
            line.append("  ")
            line.append_text(said)
        line.truncate(width, overflow=self._overflow)
        return line

    def _note_line(self, note: Note, depth: int, width: int) -> Text:
        line = Text("  " * depth, no_wrap=True, overflow=self._overflow)
        line.append("! " if note.warning else "  ", style="yellow")
        line.append(text.first_line(note.message), style="yellow" if note.warning else "dim")
        line.truncate(width, overflow=self._overflow)
        return line

    def _symbol(self, record: Record, now: float) -> Text:
        if record.result is None:
            frames = FRAMES if self._unicode else ASCII_FRAMES
            return Text(frames[int(now * 10) % len(frames)], style="cyan")
        symbol, style = SYMBOLS[record.result]
        return Text(symbol if self._unicode else ASCII_SYMBOLS[record.result], style=style)

    def _said(self, record: Record, room: int, now: float) -> Text:
        if record.result is not None:
            words = text.headline(record) or table.tally(record)
            said = Text(words, style="red" if record.result is Result.FAILED else "dim")
        else:
            counted = text.progress(record, now, room=room) or table.tally(record)
            said = Text()
            bar_width = min(BAR_WIDTH, room - len(counted) - 2)
            if record.total > 0 and bar_width >= 6:
                said.append_text(self._bar(record.done / record.total, bar_width))
                said.append("  ")
            said.append(counted, style="cyan")
        said.truncate(room, overflow=self._overflow)
        return said

    def _bar(self, share: float, width: int) -> Text:
        full = int(max(0.0, min(share, 1.0)) * width)
        bar = Text()
        bar.append(("━" if self._unicode else "=") * full, style="cyan")
        bar.append(("─" if self._unicode else "-") * (width - full), style="dim")
        return bar


def _name(row: TreeRow, symbol: Text = NO_SYMBOL) -> Text:
    """The first column: symbol, name, and what the step is about."""
    record = row.about
    name = Text("  " * row.depth) + symbol
    if isinstance(record, Record):
        name.append(f" {record.name}", style="dim" if record.result is Result.SKIPPED else "")
        if record.detail:
            name.append(f" {record.detail}", style="dim")
    return name


def _fit(lines: list[TreeRow], room: int) -> tuple[list[TreeRow], int]:
    """Keep open steps and the newest others, in order, and count the rest."""
    keep = {index for index, row in enumerate(lines) if isinstance(row.about, Record) and row.about.result is None}
    for index in range(len(lines) - 1, -1, -1):
        if len(keep) >= room:
            break
        keep.add(index)
    kept = [lines[index] for index in sorted(keep)[-room:]]
    return kept, len(lines) - len(kept)


class _Console(Console):
    """A console that ends no process: whoever prints to it learns that nobody reads it."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


class _Live(Live):
    """Remembers why the thread that draws could not."""

    failure: Exception | None = None

    def refresh(self) -> None:
        if self.failure is None:
            try:
                super().refresh()
            except Exception as error:  # noqa: BLE001 - in a thread nobody would catch it
                self.failure = error


class LiveTree:
    """A live view on a stream that is a terminal; leaving it always gives the terminal back.

    The tree of a run makes room for the summary that follows it, unless `verbose`; any other tree stays.
    """

    def __init__(self, stream: TextIO, *, verbose: bool, stdout_is_terminal: bool, pulse: Pulse | None = None) -> None:
        self._console = _Console(file=stream, highlight=False, emoji=False, markup=False)
        self._recorder = Recorder()
        self._verbose = verbose
        unicode = self._console.encoding.lower().startswith("utf")
        self._tree = Tree(self._recorder, verbose=verbose, unicode=unicode, pulse=pulse)
        # Data that a command prints while the tree is up must appear above it on a terminal, but must
        # never be led away from a file or pipe.
        self._live = _Live(
            self._tree,
            console=self._console,
            refresh_per_second=10,
            redirect_stdout=stdout_is_terminal,
            redirect_stderr=True,
            vertical_overflow="crop",
        )

    def __call__(self, event: Event) -> None:
        """Take one event in; the view redraws itself ten times a second. Raises what kept it from that."""
        self._recorder(event)
        if self._live.failure is not None:
            raise self._live.failure
        if not self._live.is_started:
            self._live.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._live.is_started:
            return
        self._live.transient = not _stays(self._recorder, verbose=self._verbose)
        # A drawing that is taken back must fit the screen; one that stays shows everything.
        self._tree.whole = not self._live.transient
        self._live.stop()


def _stays(recorder: Recorder, *, verbose: bool) -> bool:
    """Whether the tree is left on the terminal."""
    return verbose or all(root.kind != "run" for root in recorder.roots)


def print_closing(stream: TextIO, recorder: Recorder, *, verbose: bool, error_message: str) -> None:
    """Print the closing lines on a terminal, with the warnings of a tree that was taken back."""
    notes: list[Note] = []
    if not _stays(recorder, verbose=verbose):
        notes = [*recorder.notes, *(note for root in recorder.roots for each in root.walk() for note in each.notes)]
    console = _Console(file=stream, highlight=False, emoji=False, markup=False)
    show_closing(console, recorder.roots, error_message=error_message, notes=notes)


def show_closing(
    console: Console, roots: Sequence[Record], *, error_message: str = "", notes: Sequence[Note] = ()
) -> None:
    """Print the closing lines, each result in its colour."""
    for line in closing(roots, error_message=error_message, width=console.width, notes=notes):
        words = Text(line)
        for result, (_, style) in SYMBOLS.items():
            if line.startswith(text.WORDS[result]):
                words.stylize(style, 0, len(text.WORDS[result]))
        if line.startswith(table.HEADER[0]):
            words.stylize("dim")
        console.print(words, soft_wrap=True)
