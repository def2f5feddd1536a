"""The last lines of a command: for a run its table, what failed in full, and the totals."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from knavtool.report import summary, table, text
from knavtool.report.recorder import failures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from knavtool.report.recorder import Note, Record

_MOST_TOLD = 20  # failures


def closing(
    roots: Sequence[Record], *, error_message: str = "", width: int | None = None, notes: Sequence[Note] = ()
) -> Iterator[str]:
    """The lines to print. The table is cut to `width`; the warnings among `notes` are told once more.

    `error_message` is that of the error that will be printed anyway. Outside of a run what failed is told here only if
    it has more to say than the line it had.
    """
    for run in (root for root in roots if root.kind == "run"):
        yield ""
        yield from table.lines(summary.summarize(run), width=width)
    yield from (f"warning: {note.message}" for note in notes if note.warning)
    for root in roots:
        worth_telling = [
            (title, message)
            for title, message in failed(root)
            if message and message != error_message and (root.kind == "run" or "\n" in message)
        ]
        for title, message in worth_telling[:_MOST_TOLD]:
            yield ""
            yield f"failed: {title}"
            yield from _wrapped(message, width)
        if len(worth_telling) > _MOST_TOLD:
            yield f"and {len(worth_telling) - _MOST_TOLD} more failures, which the reports hold"
    for run in (root for root in roots if root.kind == "run"):
        yield ""
        yield summary.summarize(run).totals()
        if load := requests_text(run):
            yield load


def _wrapped(message: str, width: int | None) -> Iterator[str]:
    """A message below its heading; what continues a line is indented more than the line."""
    for line in message.splitlines():
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        if width is None or len(line) + 2 <= width:
            yield f"  {line}"
        else:
            yield from textwrap.wrap(
                line.strip(),
                max(width, 40),
                initial_indent=indent,
                subsequent_indent=f"{indent}  ",
                break_long_words=False,
                break_on_hyphens=False,
            )


def failed(root: Record) -> Iterator[tuple[str, str]]:
    """What failed and where it is written, with its message in full; a step of a task is named with the task."""
    places = {
        id(below): (suite, case)
        for suite in summary.summarize(root).suites
        for case in suite.cases
        for below in case.record.walk()
    }
    for failure in failures(root):
        message = failure.message.strip()
        if id(failure) not in places:
            yield failure.name, message
            continue
        suite, case = places[id(failure)]
        title = case.title if case.record is failure else f"{case.title}: {failure.name}"
        yield f"{title}{_place(suite.file, case.record)}", message


def requests_text(run: Record) -> str:
    """`1234 requests to the API server (3 retries), 210/s of at most 500/s`; empty if the run does not know."""
    found = summary.requests(run)
    if "requests" not in found:
        return ""
    pace = f", {text.rate(found['rate'])}" if "rate" in found else ""
    bound = f" of at most {found['qps']:g}/s" if found.get("qps") else ""
    retries = found.get("retries", 0)
    again = f" ({retries:.0f} {'retry' if retries == 1 else 'retries'})" if retries else ""
    return f"{found['requests']:.0f} requests to the API server{again}{pace}{bound}"


def _place(file: str, record: Record) -> str:
    line = text.line_of(record)
    return f"  {file}:{line}" if file and line else (f"  {file}" if file else "")
