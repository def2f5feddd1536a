"""A program that measures a recording again and again, for the page of a run that goes on.

It is a process of its own, because measuring would keep the run from its work. It reads requests from stdin, one a
line: `going on` and `ended` ask for the parts of the page that have changed, `table NAME` for a table. An answer is
lines of a name, a blank and JSON; the last one is `=` with what the answer has cost, in seconds of a processor, and
why there is none. It ends with its stdin.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from knavtool.errors import KnavError
from knavtool.measure.measuring import measure_file
from knavtool.report.html import live
from knavtool.report.html.embedding import packed_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.measure.table import Measured

END = "="
_NICER = 10
"""The scheduler under test comes first."""


class Feed:
    """What is known of a recording, and what the page knows of it already."""

    def __init__(self, recording: Path) -> None:
        self._recording = recording
        self._sent: dict[str, bytes] = {}
        self._measured: Measured | None = None

    def answer(self, request: str) -> Iterator[bytes]:
        """The lines of an answer."""
        began = time.process_time()
        error = ""
        try:
            if request.startswith("table "):
                yield from self._table(request.removeprefix("table "))
            else:
                yield from self._changed(going_on=request == "going on")
        except KnavError as failure:
            error = failure.message
        except Exception as failure:  # noqa: BLE001 - the page tells it, and the next request may be answered
            error = f"{type(failure).__name__}: {failure}"
        yield _line(END, orjson.dumps({"cpu": round(time.process_time() - began, 4), "error": error}))

    def _changed(self, *, going_on: bool) -> Iterator[bytes]:
        self._measured = measure_file(self._recording, going_on=going_on)
        for name, part in live.parts(self._measured, going_on=going_on).items():
            text = orjson.dumps(part, default=str, option=orjson.OPT_NON_STR_KEYS)
            known = hashlib.blake2b(text, digest_size=16).digest()
            if self._sent.get(name) != known:
                self._sent[name] = known
                yield _line(name, text)

    def _table(self, name: str) -> Iterator[bytes]:
        table = self._measured.tables.get(name) if self._measured is not None else None
        if table is None:
            raise KnavError(f"there is no table {name}")
        yield _line(name, orjson.dumps(packed_tables([table])[name][0]))


def _line(name: str, content: bytes) -> bytes:
    return name.encode() + b" " + content + b"\n"


def main() -> None:
    """Answer until there is nobody who asks."""
    os.nice(_NICER)
    feed = Feed(Path(sys.argv[1]))
    for request in sys.stdin:
        for line in feed.answer(request.strip()):
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
