"""What a process that ended at once had to say about it: the lines of its log that matter, not how it is to be used."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

from knavtool.engines.local.processes.processes import tail
from knavtool.errors import ProcessDied

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from knavtool.engines.local.state.layout import ClusterFiles

_READ = 1 << 20
_LINES = 3
_LONGEST = 500
# Beginnings of lines as klog, logr, Go's flags, cobra and Go itself write them.
_COMPLAINT = re.compile(
    r"[EF]\d{4} |(error|fatal|panic|flag provided but not defined|invalid value|unknown (shorthand )?flag)\b"
    r"|\S*\s*(level=)?(error|fatal)\b",
    re.IGNORECASE,
)


@contextlib.contextmanager
def blaming(files: ClusterFiles, name: str, settings: str) -> Iterator[None]:
    """Run a block that starts a process; if it ends meanwhile, ProcessDied names the options that may be why, if any.

    It tells of the log only what was written in the block.
    """
    log = files.log(name)
    since = size(log)
    try:
        yield
    except ProcessDied as error:
        if not settings:
            raise
        hint = "correct what it complains of, then run the same command again"
        raise ProcessDied(name, log, complaint(log, since), hint=hint, settings=settings) from error


def complaint(log: Path, since: int) -> str:
    """The last lines since byte `since` that say that something is wrong; the end of the log if none does."""
    try:
        with log.open("rb") as file:
            file.seek(since)
            lines = file.read(_READ).decode(errors="replace").splitlines()
    except OSError:
        return ""
    found = [told for line in lines if not line.startswith("keeper: ") and (told := _told(line))]
    return "\n".join(found[-_LINES:]) or tail(log)


def size(log: Path) -> int:
    """How long a log is now, in bytes."""
    return log.stat().st_size if log.exists() else 0


def _told(line: str) -> str:
    """A line that complains, in a form for people; "" for all others."""
    if line.startswith("{"):
        try:
            entry: Any = json.loads(line)
        except ValueError:
            return ""
        if str(entry.get("level", "")).lower() not in ("error", "fatal", "panic"):
            return ""
        parts = (entry.get("msg"), entry.get("error") or entry.get("err"))
        return ": ".join(str(part) for part in parts if part)[:_LONGEST]
    return line[:_LONGEST] if _COMPLAINT.match(line) else ""
