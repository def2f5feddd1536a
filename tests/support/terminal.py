"""The command line at a terminal: a user who reads what it asks, and types."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from support.cli import SCRIPT


class Typist:
    """Somebody at the terminal of a process; `seen` is what came so far."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self.seen = ""
        self._descriptor = descriptor

    def until(self, text: str, *, within: float = 60) -> None:
        """Read until a text has come."""
        deadline = time.monotonic() + within
        while text not in self.seen:
            assert self._read(deadline - time.monotonic()), f"no {text!r} in:\n{self.seen}"

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._descriptor, f"{line}\n".encode())

    def end(self, *, within: float = 120) -> int:
        """Read to the end of the process; its exit code."""
        deadline = time.monotonic() + within
        while self._read(deadline - time.monotonic()):
            pass
        return self.process.wait(max(deadline - time.monotonic(), 0))

    def _read(self, within: float) -> bool:
        """Whether there is more to come in time."""
        if not select.select([self._descriptor], [], [], max(within, 0))[0]:
            return False
        try:
            got = os.read(self._descriptor, 1 << 16)
        except OSError:
            return False  # what Linux says when the last process at the other side is gone
        self.seen += got.decode(errors="replace").replace("\r\n", "\n")
        return bool(got)


@contextmanager
def terminal(*args: str | Path, env: Mapping[str, str]) -> Iterator[Typist]:
    """Run `knavtool ARGS` at a terminal of its own; it is ended with the block."""
    ours, theirs = pty.openpty()
    command = [str(SCRIPT), *(str(one) for one in args)]
    environment = {**os.environ, **env}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    try:
        yield Typist(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
