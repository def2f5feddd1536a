"""Small pieces of text that every view shares, so that the same run reads the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.events import Result

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from knavtool.report.recorder import Record

WORDS = {
    None: "running",
    Result.OK: "ok",
    Result.FAILED: "failed",
    Result.SKIPPED: "skipped",
    Result.CANCELLED: "cancelled",
}

_COUNTLESS = 10  # of fewer things a rate says nothing
_SLOWEST = 0.05  # per second; slower would be shown as zero


def duration(seconds: float) -> str:
    """Seconds for people: `8ms`, `3.2s`, `2m05s`, `1h02m`."""
    seconds = round(seconds, 3)  # as files hold it, so that both give the same tenths
    if seconds < 0.0995:
        return f"{round(max(seconds, 0.0) * 1000)}ms"
    tenths = round(seconds * 10)
    if tenths < 600:
        return f"{tenths / 10:.1f}s"
    whole = tenths // 10
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def first_line(message: str) -> str:
    """The first line of a message; dots tell that there is more."""
    first, _, rest = message.strip().partition("\n")
    return f"{first} ..." if rest else first


def cut(line: str, width: int) -> str:
    """A line of at most `width` characters; dots tell that there is more."""
    return line if len(line) <= width else f"{line[: max(width - 3, 0)]}..."[:width]


def word(record: Record) -> str:
    """How a step ended; one that never did was cut off."""
    return WORDS[record.result or Result.CANCELLED]


def line_of(record: Record) -> int:
    """The line of the workflow file a task is written at, counted from 1; 0 if nobody said."""
    line = record.data.get("line")
    return line if isinstance(line, int) else 0


def headline(record: Record) -> str:
    """The one line said about a record beside its name; a failure already told by a child is not repeated."""
    if record.result in (Result.FAILED, Result.CANCELLED) and any(
        child.message == record.message for child in record.children
    ):
        return ""
    return first_line(record.message)


def progress(record: Record, now: float, *, room: int | None = None) -> str:
    """How far a record is and how fast: `12/288  200 Running, 88 Pending  41/s`; too little room cuts the middle."""
    counted, detail, pace = _counted(record), record.progress_detail, _pace(record, now)
    if room is not None and detail:
        taken = sum(len(part) + 2 for part in (counted, pace) if part)
        if len(detail) > room - taken:
            detail = f"{detail[: room - taken - 3]}..." if room - taken > 6 else ""
    return "  ".join(filter(None, (counted, detail, pace)))


def rate(per_second: float, unit: str = "") -> str:
    """`41/s`, `4.1/s`; bytes as `3.2 MB/s`."""
    if unit == "B":
        return f"{per_second / 1e6:.1f} MB/s"
    return f"{per_second:.0f}/s" if per_second >= 9.95 else f"{per_second:.1f}/s"


def _counted(record: Record) -> str:
    if record.unit == "B":
        total = f" of {record.total / 1e6:.1f}" if record.total else ""
        return f"{record.done / 1e6:.1f}{total} MB"
    if record.total:
        return f"{record.done}/{record.total}"
    # Of what nobody knows the end of, the detail says more than the number.
    return str(record.done) if record.done and not record.progress_detail else ""


def _pace(record: Record, now: float) -> str:
    if record.result is not None or record.total < _COUNTLESS:
        return ""
    found = record.rate.at(now)
    return rate(found, record.unit) if found is not None and found >= _SLOWEST else ""


def in_columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of one length as lines whose columns are aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
