"""Progress as a live tree on a terminal: open steps turn, finished ones stay with their time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, Self, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from knavtool.events import Result
from knavtool.report import text
from knavtool.report.recorder import Note, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.console import ConsoleOptions, OverflowMethod, RenderResult

    from knavtool.events import Event
    from knavtool.report.recorder import Record

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


class Row(NamedTuple):
    """One line of the tree: a step, or a note about one."""

    depth: int
    about: Record | Note


def rows(records: Iterable[Record], *, verbose: bool, depth: int = 0) -> Iterator[Row]:
    """The lines of a tree; what lies inside a task that went well is folded away unless `verbose`."""
    for record in tuple(records):
        yield Row(depth, record)
        folded = record.kind == "task" and record.result is Result.OK and not verbose
        for note in tuple(record.notes):
            if note.warning or not folded:
                yield Row(depth + 1, note)
        if not folded:
            yield from rows(record.children, verbose=verbose, depth=depth + 1)


class Tree:
    """Draws the records of a recorder; the columns are fixed, so nothing moves sideways while steps come and go."""

    def __init__(
        self,
        recorder: Recorder,
        *,
        verbose: bool = False,
        unicode: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recorder = recorder
        self._verbose = verbose
        self._unicode = unicode
        # rich marks a cut with a character that other encodings do not have.
        self._overflow: OverflowMethod = "ellipsis" if unicode else "crop"
        self._clock = clock
        self.whole = False  # the last drawing shows everything, however tall

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw as many lines as fit; the newest and the open ones matter most."""
        # The terminal itself writes ^C after the last line; there must be room, or the tree moves down by a line.
        width = options.max_width - 3
        lines = [Row(0, note) for note in tuple(self._recorder.notes)]
        lines += rows(self._recorder.roots, verbose=self._verbose)
        room = max(console.height - 2, 3)
        if not self.whole and len(lines) > room:
            lines, hidden = _fit(lines, room - 1)
            yield Text(f"  {'…' if self._unicode else '...'} {hidden} more lines", style="dim", no_wrap=True)
        for row in lines:
            yield self._line(row, width)

    def _line(self, row: Row, width: int) -> Text:
        if isinstance(row.about, Note):
            return self._note_line(row.about, row.depth, width)
        record = row.about
        line = Text(no_wrap=True, overflow=self._overflow)
        now = self._clock()
        name_width = max(min(48, width // 2), 10)
        line.append("  " * row.depth)
        line.append_text(self._symbol(record, now))
        line.append(f" {record.name}", style="dim" if record.result is Result.SKIPPED else "")
        if record.detail:
            line.append(f" {record.detail}", style="dim")
        line.truncate(name_width, overflow=self._overflow, pad=True)
        seconds = record.seconds if record.seconds is not None else now - record.started
        line.append(f"{text.duration(seconds):>8}", style="dim" if record.result is Result.OK else "")
        room = width - line.cell_len - 2
        if room >= 8 and (said := self._said(record, room)).plain:
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

    def _said(self, record: Record, room: int) -> Text:
        if record.result is not None:
            said = Text(text.headline(record), style="red" if record.result is Result.FAILED else "dim")
        else:
            counted = text.progress(record)
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


def _fit(lines: list[Row], room: int) -> tuple[list[Row], int]:
    """Keep open steps and the newest others, in order, and count the rest."""
    keep = {index for index, row in enumerate(lines) if not isinstance(row.about, Note) and row.about.result is None}
    for index in range(len(lines) - 1, -1, -1):
        if len(keep) >= room:
            break
        keep.add(index)
    kept = [lines[index] for index in sorted(keep)[-room:]]
    return kept, len(lines) - len(kept)


class LiveTree:
    """A live view on a stream that is a terminal; leaving it always gives the terminal back."""

    def __init__(self, stream: TextIO, *, verbose: bool, stdout_is_terminal: bool) -> None:
        self._console = Console(file=stream, highlight=False, emoji=False, markup=False)
        self._recorder = Recorder()
        unicode = self._console.encoding.lower().startswith("utf")
        self._tree = Tree(self._recorder, verbose=verbose, unicode=unicode)
        # Data that a command prints while the tree is up must appear above it on a terminal, but must
        # never be led away from a file or pipe.
        self._live = Live(
            self._tree,
            console=self._console,
            refresh_per_second=10,
            redirect_stdout=stdout_is_terminal,
            redirect_stderr=True,
            vertical_overflow="crop",
        )

    def __call__(self, event: Event) -> None:
        """Take one event in; the view redraws itself ten times a second."""
        self._recorder(event)
        if not self._live.is_started:
            self._live.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live.is_started:
            self._tree.whole = True
            self._live.vertical_overflow = "visible"
            self._live.stop()
