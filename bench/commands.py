"""Commands under test: how long they took, and which steps they told on stderr."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measurement import BenchError
from bench.setting import KNAVTOOL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_GRACE_SECONDS = 60.0
# A process starts with the peak of the one that forked it, so the measured one is forked by a small one.
_PEAK = """
import os, sys
child = os.fork()
if not child:
    os.execv(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], "w") as file:
    file.write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status) % 256)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A command that ended well: wall time in seconds, what it wrote."""

    seconds: float
    stdout: str
    stderr: str

    def step(self, kind: str, name: str) -> float:
        """The seconds of a step, from the events of `--log-format json`; 0 if there was none."""
        events = [json.loads(line) for line in self.stderr.splitlines() if line.startswith("{")]
        numbers = {
            event["step"]
            for event in events
            if event["event"] == "started" and (event.get("kind"), event.get("name")) == (kind, name)
        }
        return sum(
            float(event["duration"]) for event in events if event["event"] == "ended" and event["step"] in numbers
        )


def run(command: Sequence[str], environment: Mapping[str, str], *, cwd: Path | None = None) -> Finished:
    """Run a command to its end; raises BenchError with the end of its stderr when it fails.

    Its output goes to files: a daemon it leaves behind would keep a pipe open. It gets a session of its own, so that
    ^C reaches this process alone, which then passes it on once; a second signal would cut the command's cleanup short.
    """
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        start = time.perf_counter()
        process = subprocess.Popen(
            list(command), env=dict(environment), cwd=cwd, stdout=stdout, stderr=stderr, start_new_session=True
        )
        try:
            code = process.wait()
        except BaseException:
            _end(process)
            raise
        seconds = time.perf_counter() - start
        stdout.seek(0)
        stderr.seek(0)
        finished = Finished(seconds=seconds, stdout=stdout.read(), stderr=stderr.read())
    if code != 0:
        shown = " ".join(Path(word).name if word.startswith("/") else word for word in command)
        raise BenchError(f"`{shown[:200]}` ended with {code}:\n{(finished.stderr or finished.stdout)[-1500:].strip()}")
    return finished


def knavtool(environment: Mapping[str, str], *arguments: str) -> Finished:
    """Run knavtool; its events are on stderr."""
    return run([KNAVTOOL, "--log-format", "json", *arguments], environment)


def peak_megabytes(environment: Mapping[str, str], *arguments: str) -> float:
    """Run knavtool and return its peak resident size in MB (or that of a child of its, if that was larger)."""
    with tempfile.NamedTemporaryFile("r") as answer:
        run([sys.executable, "-S", "-c", _PEAK, answer.name, KNAVTOOL, *arguments], environment)
        return int(answer.read()) / 1024


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let a tear-down finish, however often somebody presses ^C."""
    former = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _end(process: subprocess.Popen[bytes]) -> None:
    with uninterrupted():
        for number in (signal.SIGINT, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, number)
                try:
                    process.wait(_GRACE_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
