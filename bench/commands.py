"""Commands under test: how long they took, and which steps they told on stderr."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.setting import KNAVTOOL, BenchError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

_GRACE_SECONDS = 60.0
_LONGEST_LINE = 2**24
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
    """A command that ended well: when it was started by CLOCK_MONOTONIC, wall time in seconds, what it wrote."""

    started: float
    seconds: float
    stdout: str
    stderr: str

    @property
    def ended(self) -> float:
        """When it had ended."""
        return self.started + self.seconds

    def step(self, kind: str, name: str) -> float:
        """The seconds of a step, from the events of `--log-format json`; 0 if there was none."""
        return sum(float(event["duration"]) for event in self._events(kind, name) if event["event"] == "ended")

    def span(self, kind: str, name: str) -> tuple[float, float]:
        """When a step began and ended, by CLOCK_MONOTONIC; the events tell milliseconds."""
        began, ended = (moment(event) for event in self._events(kind, name) if event["event"] in ("started", "ended"))
        return began, ended

    def _events(self, kind: str, name: str) -> list[dict[str, Any]]:
        events = [json.loads(line) for line in self.stderr.splitlines() if line.startswith("{")]
        numbers = {
            event["step"]
            for event in events
            if event["event"] == "started" and (event.get("kind"), event.get("name")) == (kind, name)
        }
        return [event for event in events if event.get("step") in numbers]


def moment(event: Mapping[str, Any]) -> float:
    """When an event of `--log-format json` happened, by CLOCK_MONOTONIC, which all processes of a machine share."""
    return datetime.fromisoformat(event["time"]).timestamp() - (time.time() - time.monotonic())


def run(command: Sequence[str], environment: Mapping[str, str], *, cwd: Path | None = None) -> Finished:
    """Run a command to its end; raises BenchError with the end of its stderr when it fails.

    Its output goes to files: a daemon it leaves behind would keep a pipe open. It gets a session of its own, so that
    ^C reaches this process alone, which then passes it on once; a second signal would cut the command's cleanup short.
    """
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        start = time.monotonic()
        process = subprocess.Popen(
            list(command), env=dict(environment), cwd=cwd, stdout=stdout, stderr=stderr, start_new_session=True
        )
        try:
            code = process.wait()
        except BaseException:
            _end(process)
            raise
        seconds = time.monotonic() - start
        stdout.seek(0)
        stderr.seek(0)
        finished = Finished(started=start, seconds=seconds, stdout=stdout.read(), stderr=stderr.read())
    if code != 0:
        shown = " ".join(Path(word).name if word.startswith("/") else word for word in command)
        raise BenchError(f"`{shown[:200]}` ended with {code}:\n{(finished.stderr or finished.stdout)[-1500:].strip()}")
    return finished


def knavtool(environment: Mapping[str, str], *arguments: str) -> Finished:
    """Run knavtool; its events are on stderr."""
    return run([KNAVTOOL, "--log-format", "json", *arguments], environment)


@asynccontextmanager
async def talking(environment: Mapping[str, str], *arguments: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """Run knavtool and hand over its events as it tells them; raises BenchError when it fails."""
    process = await asyncio.create_subprocess_exec(
        *[KNAVTOOL, "--log-format", "json", *arguments],
        env=dict(environment),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        limit=_LONGEST_LINE,
    )
    assert process.stderr is not None
    last: list[str] = []

    async def events(stream: asyncio.StreamReader) -> AsyncIterator[dict[str, Any]]:
        async for line in stream:
            if line.startswith(b"{"):
                yield json.loads(line)
            else:
                last.append(line.decode().rstrip())

    try:
        yield events(process.stderr)
        if await process.wait():
            told = "\n".join(last[-20:])
            raise BenchError(f"`knavtool {arguments[0]}` ended with {process.returncode}:\n{told}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


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
