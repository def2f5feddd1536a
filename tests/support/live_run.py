"""`knavtool run` while it runs: a test waits for what it says, does harm, and waits for its end."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from support.cli import SCRIPT


class LiveRun:
    """A run in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="stderr of a run")
        self._reader.start()

    @property
    def said(self) -> str:
        """What it has written to stderr so far."""
        return "".join(list(self._lines))

    def until(self, text: str, *, within: float = 60) -> None:
        """Wait until it says this."""
        with self._more:
            came = self._more.wait_for(lambda: text in self.said or not self._reader.is_alive(), within)
        assert came, f"{text!r} was not said within {within:g} s\n{self.said}"
        assert text in self.said, f"ended without {text!r}\n{self.said}"

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        os.killpg(self._process.pid, signal.SIGINT)

    def finish(self, *, check: int = 0, within: float = 90) -> str:
        """Wait for the end; returns all it said. A failure must be one message."""
        try:
            code = self._process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"did not end within {within:g} s\n{self.said}") from None
        self._reader.join(10)
        assert code == check, f"expected exit code {check}, got {code}\n{self.said}"
        assert "Traceback" not in self.said, self.said
        errors = [line for line in self.said.splitlines() if line.startswith("error: ")]
        assert len(errors) == (1 if check not in (0, 1, 130) else 0), self.said
        return self.said

    def kill(self) -> None:
        """End it, if it has not ended."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(10)

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._more:
                self._lines.append(line)
                self._more.notify_all()


@contextmanager
def live_run(*args: str | Path, env: Mapping[str, str], cwd: Path) -> Iterator[LiveRun]:
    """Start `knavtool run ARGS`; it is killed if it has not ended at the end of the block."""
    with subprocess.Popen(
        [str(SCRIPT), "run", *map(str, args)],
        env=os.environ | dict(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        run = LiveRun(process)
        try:
            yield run
        finally:
            run.kill()
