"""`summary.md`: a run as a heading, a table and the details of what failed, for the pages of CI systems."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from knavtool import __version__
from knavtool.events import Result
from knavtool.measure.threshold import shown_value
from knavtool.report import closing, files, summary, table, text
from knavtool.report.facts import Facts
from knavtool.report.measured import figures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from knavtool.measure.table import Measured
    from knavtool.report.recorder import Record

_SYMBOLS = {Result.OK: "✅", Result.FAILED: "❌", Result.SKIPPED: "⏭️", Result.CANCELLED: "⏹️"}
_MARKS = re.compile(r"[\\`*_\[\]|~#@$]")
_INDENT = "&emsp;"
_LARGEST = 900_000  # bytes; GitHub refuses a summary above one mebibyte
_LONGEST = 20_000  # characters of one failure
_MOST_ROWS = 1000


def document(record: Record, *, facts: Facts | None = None, measured: Measured | None = None) -> str:
    """The Markdown of a run."""
    counted = summary.summarize(record)
    ended = record.result or Result.CANCELLED
    parts = [f"## {_SYMBOLS[ended]} {_inline(record.name)}: {text.WORDS[ended]}"]
    described = [(suite.record.name, suite.record.description) for suite in counted.workflows]
    parts += [f"**{_inline(name)}**: {_inline(message)}" for name, message in described if message]
    parts += [counted.totals(), "\n".join(_table(counted))]
    if measured is not None:
        parts.append("\n".join(_figures(measured)))
    size = sum(len(part.encode()) for part in parts)
    failed = [(title, message) for title, message in closing.failed(record) if message]
    for number, (title, message) in enumerate(failed):
        part = _details(title, message)
        size += len(part.encode())
        if size > _LARGEST:
            parts.append(f"and {len(failed) - number} more failures, which the other reports hold")
            break
        parts.append(part)
    return "\n\n".join([*parts, _about(record, facts or Facts())]) + "\n"


def write(path: Path, record: Record, *, facts: Facts | None = None, measured: Measured | None = None) -> None:
    """Write the summary; the file is there whole or not at all."""
    files.write(path, document(record, facts=facts, measured=measured))


def append(path: Path, record: Record, *, facts: Facts | None = None, measured: Measured | None = None) -> None:
    """Add the summary to a file that others write to as well. Raises OutputError."""
    with (
        files.as_output_error(f"cannot add the summary to {path}"),
        path.open("a", encoding="utf-8", errors="backslashreplace") as file,
    ):
        file.write("\n" + document(record, facts=facts, measured=measured))


def _figures(measured: Measured) -> Iterator[str]:
    """The five measures that matter, and what must be known to read them."""
    yield "| measure | value | n |"
    yield "|---|--:|--:|"
    for figure in figures.chosen(measured):
        measure = measured.measures[figure.measure]
        yield f"| {_inline(figure.title)} | {_inline(shown_value(measure))} | {measure.n} |"
    for note in (*(f"Saturated: {reason}" for reason in measured.about.saturated), *measured.about.notes):
        yield f"\n⚠️ {_inline(note)}"


def _table(counted: summary.Summary) -> Iterator[str]:
    yield "| result | task | type | duration | outcome |"
    yield "|---|---|---|--:|---|"
    rows = list(table.rows(counted))
    for row in rows[:_MOST_ROWS]:
        ended = row.result or Result.CANCELLED
        cells = (
            f"{_SYMBOLS[ended]} {text.WORDS[ended]}",
            _INDENT * row.depth + _inline(row.name),
            _inline(row.type),
            row.duration,
            _inline(row.outcome),
        )
        yield f"| {' | '.join(cells)} |"
    if len(rows) > _MOST_ROWS:
        yield f"| | and {len(rows) - _MOST_ROWS} more, which the other reports hold | | | |"


def _details(title: str, message: str) -> str:
    shown = message if len(message) <= _LONGEST else f"{message[:_LONGEST]}\n..."
    return f"<details><summary>{escape(title)}</summary>\n\n<pre>\n{escape(shown)}\n</pre>\n\n</details>"


def _about(record: Record, facts: Facts) -> str:
    known = [
        f"knavtool {__version__}",
        f"Kubernetes {facts.server}" if facts.server else "",
        f"context {facts.context}" if facts.context else "",
        f"Python {facts.python}",
        f"{facts.cores} cores",
        closing.requests_text(record),
        f"busy {facts.busy:.0%} of the time" if facts.wall else "",
    ]
    return f"<sub>{' · '.join(_inline(one) for one in known if one)}</sub>"


def _inline(words: str) -> str:
    """Text that a Markdown reader shows as it is: one line, nothing in it is markup."""
    return _MARKS.sub(lambda mark: f"&#{ord(mark[0])};", escape(" ".join(words.split()), quote=False))
