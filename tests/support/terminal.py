"""The command line at a terminal: a user who reads what it asks, and types."""

from __future__ import annotations

import codecs
import os
import pty
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from support.cli import SCRIPT


class Typist:
    """Somebody at the terminal of a process; `seen` is what came so far.

    It is always read, because a process whose terminal nobody reads stands still.
    """

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self.seen = ""
        self._descriptor = descriptor
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="terminal")
        self._reader.start()

    def until(self, text: str, *, within: float = 60) -> None:
        """Wait until a text has come."""
        with self._more:
            self._more.wait_for(lambda: text in self.seen or not self._reader.is_alive(), within)
            assert text in self.seen, f"no {text!r} in:\n{self.seen}"

    def forget(self) -> None:
        """Wait for what comes from now on."""
        with self._more:
            self.seen = ""

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._descriptor, f"{line}\n".encode())

    def end(self, *, within: float = 120) -> int:
        """Read to the end of the process; its exit code."""
        code = self.process.wait(within)
        self.join()
        return code

    def join(self) -> None:
        """Read what is left after the end."""
        self._reader.join(10)

    def _read(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        while True:
            try:
                got = os.read(self._descriptor, 1 << 16)
            except OSError:
                got = b""  # what Linux says when the last process at the other side is gone
            with self._more:
                self.seen = (self.seen + decoder.decode(got)).replace("\r\n", "\n")
                self._more.notify_all()
            if not got:
                return


@contextmanager
def terminal(*args: str | Path, env: Mapping[str, str]) -> Iterator[Typist]:
    """Run `knavtool ARGS` at a terminal of its own; it is ended with the block."""
    ours, theirs = pty.openpty()
    command = [str(SCRIPT), *(str(one) for one in args)]
    environment = {**os.environ, **env}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    typist = Typist(process, ours)
    try:
        yield typist
    finally:
        process.kill()
        process.wait()
        typist.join()
        os.close(ours)
