"""The rows of a summary: tasks below their workflows, blocks and rounds; many of the same are folded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.events import Result
from knavtool.report import summary, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.report.recorder import Record
    from knavtool.report.summary import Summary

MOST_SHOWN = 3
"""Of more rounds than these only those are shown that did not end well, and of more skipped tasks only the first."""

HEADER = ("RESULT", "TASK", "TYPE", "DURATION", "OUTCOME")
_GAP = "  "
_WIDEST_NAME = 60
_WIDEST_OUTCOME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One line of the table; `depth` is how far it is indented."""

    depth: int
    result: Result | None
    name: str
    type: str
    duration: str
    outcome: str

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """The columns of `HEADER`."""
        return text.WORDS[self.result], "  " * self.depth + self.name, self.type, self.duration, self.outcome


def rows(counted: Summary) -> Iterator[StepRow]:
    """The rows of a run; with more than one workflow each has a row of its own above its tasks."""
    several = len(counted.workflows) > 1
    for suite in counted.suites:
        if suite.record.kind == "workflow":
            if several or summary.failed_itself(suite.record):
                yield _row(suite.record, 0, suite.file)
            yield from _below(suite.record, int(several))
        else:
            yield _row(suite.record, 0, "")


def folded(block: Record) -> list[Record]:
    """The children of a block that are worth a row."""
    rounds = [child for child in block.children if child.kind == "round"]
    if len(rounds) <= MOST_SHOWN:
        return block.children
    return [child for child in block.children if child.result is not Result.OK]


def tally(block: Record) -> str:
    """`20 rounds: 19 ok, 1 failed`; empty for a block without rounds."""
    rounds = [child for child in block.children if child.kind == "round"]
    if not rounds:
        return ""
    ended = summary.counts(child for child in rounds if child.result is not None)
    parts = [f"{number} {word}" for word, number in ended.items() if number]
    return f"{len(rounds)} round{'' if len(rounds) == 1 else 's'}" + (f": {', '.join(parts)}" if parts else "")


def lines(counted: Summary, *, width: int | None = None) -> Iterator[str]:
    """The table as text, cut to a width in characters if one is given."""
    cells = [HEADER, *(row.cells for row in rows(counted))]
    widths = [max(len(row[column]) for row in cells) for column in range(4)]
    if width is not None:
        widths[1] = min(widths[1], max(width // 2 - widths[0] - widths[3], len(HEADER[1])))
    widths[1] = min(widths[1], _WIDEST_NAME)
    for result, name, type_, duration, outcome in cells:
        columns = [
            result.ljust(widths[0]),
            text.cut(name, widths[1]).ljust(widths[1]),
            type_.ljust(widths[2]),
            duration.rjust(widths[3]),
            outcome,
        ]
        line = _GAP.join(columns).rstrip()
        yield line if width is None else text.cut(line, width)


def _below(record: Record, depth: int) -> Iterator[StepRow]:
    skipped: list[Record] = []
    for child in folded(record):
        if child.kind == "task" and child.result is Result.SKIPPED:
            skipped.append(child)
            continue
        yield from _skipped(skipped, depth)
        skipped = []
        if child.kind == "task":
            yield _row(child, depth, child.detail)
        elif child.kind in summary.HOLDERS:
            yield _row(child, depth, child.detail, tally(child))
            yield from _below(child, depth + 1)
    yield from _skipped(skipped, depth)


def _skipped(records: list[Record], depth: int) -> Iterator[StepRow]:
    """Tasks in a row that were skipped: after a failure they may be most of a workflow."""
    shown = records if len(records) <= MOST_SHOWN else records[:1]
    yield from (_row(record, depth, record.detail) for record in shown)
    if len(records) > len(shown):
        rest = f"and {len(records) - len(shown)} more"
        yield StepRow(depth=depth, result=Result.SKIPPED, name=rest, type="", duration="-", outcome="")


def _row(record: Record, depth: int, type_: str, outcome: str = "") -> StepRow:
    ran = record.seconds is not None and record.result is not Result.SKIPPED
    return StepRow(
        depth=depth,
        result=record.result or Result.CANCELLED,
        name=record.name,
        type=type_,
        duration=text.duration(record.seconds or 0.0) if ran else "-",
        outcome=text.cut("; ".join(filter(None, (outcome, text.headline(record)))), _WIDEST_OUTCOME),
    )
