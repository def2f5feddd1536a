"""Small pieces of text that every view shares, so that the same run reads the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.events import Result

if TYPE_CHECKING:
    from knavtool.report.recorder import Record

WORDS = {
    None: "running",
    Result.OK: "ok",
    Result.FAILED: "failed",
    Result.SKIPPED: "skipped",
    Result.CANCELLED: "cancelled",
}


def duration(seconds: float) -> str:
    """Seconds for people: `8ms`, `3.2s`, `2m05s`, `1h02m`."""
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


def headline(record: Record) -> str:
    """The one line said about a record beside its name; a failure already told by a child is not repeated."""
    if record.result in (Result.FAILED, Result.CANCELLED) and any(
        child.message == record.message for child in record.children
    ):
        return ""
    return first_line(record.message)


def progress(record: Record) -> str:
    """How far a record is, for example `600/1000`."""
    if record.total:
        counted = f"{record.done}/{record.total}"
    elif record.done:
        counted = str(record.done)
    else:
        counted = ""
    return record.progress_detail or counted
