"""Reading the API server's audit log while it is written: what has come since the last look, across rotations."""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from knavtool.recording.moments import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_CHUNK = 1 << 20
_MOST = 64 << 20
_LONGEST_LINE = 16 << 20


class AuditLog:
    """The requests that the API server answers from now on; what is in the file already is not read.

    Raises OSError if the file cannot be opened. After that nothing is raised: `trouble` says what went wrong first.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble = ""
        self.broken = 0
        """Lines that could not be understood."""
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._rest = b""
        # A line that is being written now began before, so that its beginning is missed: it is no broken one.
        self._at = os.lseek(self._file, 0, os.SEEK_END)
        self._inside = self._at > 0 and os.pread(self._file, 1, self._at - 1) != b"\n"

    def read(self) -> list[Request]:
        """What is new. At most 64 MiB at once, which takes half a second; the rest is there at the next call."""
        if self._file < 0:
            return []
        found: list[Request] = []
        try:
            for chunk in self._chunks():
                found += self._requests(chunk)
        except OSError as error:
            self._complain(f"{self.path} cannot be read any more: {error.strerror}")
        return found

    def close(self) -> None:
        """Read nothing more."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _chunks(self) -> Iterator[bytes]:
        left = _MOST
        while left > 0:
            if os.fstat(self._file).st_size < self._at:
                self._complain(f"{self.path} became shorter while it was read: requests may be missing")
                self._at, self._rest, self._inside = 0, b"", False
            chunk = os.pread(self._file, min(_CHUNK, left), self._at)
            if chunk:
                self._at += len(chunk)
                left -= len(chunk)
                yield chunk
            elif not self._next_file():
                return

    def _next_file(self) -> bool:
        """Go on with the file that has the name now, after this one, which was read to its end, was renamed."""
        try:
            following = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False  # there is none for a moment between the renaming and the first line after it
        if os.path.sameopenfile(following, self._file):
            os.close(following)
            return False
        # What came between the last look and the renaming.
        if os.fstat(self._file).st_size > self._at:
            os.close(following)
            return True
        os.close(self._file)
        self._file, self._at, self._rest, self._inside = following, 0, b"", False
        return True

    def _requests(self, chunk: bytes) -> Iterator[Request]:
        if self._inside:
            _, newline, chunk = chunk.partition(b"\n")
            self._inside = not newline
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > _LONGEST_LINE:
            self._rest, self._inside = b"", True
            self._miss()
        yield from self._understood(lines)

    def _understood(self, lines: Iterable[bytes]) -> Iterator[Request]:
        for line in lines:
            try:
                if (found := _request(orjson.loads(line))) is not None:
                    yield found
            except (ValueError, KeyError, TypeError, AttributeError):
                self._miss()

    def _miss(self) -> None:
        self.broken += 1
        self._complain(f"{self.path} has a line that is no event of an audit log: its request is missing")

    def _complain(self, trouble: str) -> None:
        self.trouble = self.trouble or trouble


def _request(event: dict[str, Any]) -> Request | None:
    """The request of an event; None for one of no object, such as /healthz."""
    about = event.get("objectRef")
    if about is None:
        event["verb"]  # an event of an audit log all the same
        return None
    resource = about["resource"]
    part = about.get("subresource")
    name, uid = about.get("name", ""), about.get("uid", "")
    if (made := event.get("responseObject")) is not None and "metadata" in made:
        metadata = made["metadata"]
        name, uid = metadata.get("name", name), metadata.get("uid", uid)
    agent = event.get("userAgent", "")
    return Request(
        _seconds(event["stageTimestamp"]),
        _seconds(event["requestReceivedTimestamp"]),
        agent.partition("/")[0].partition(" ")[0],
        event["verb"],
        f"{resource}/{part}" if part else resource,
        about.get("namespace", ""),
        name,
        uid,
        event.get("responseStatus", {}).get("code", 0),
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
