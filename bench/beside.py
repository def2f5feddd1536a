"""Processes that run beside a command under test: what they do must not wait for this one, nor this one for them.

Each prints `ready` when it has begun, works until its stdin is closed, and then prints what it has to tell. All take
their times from CLOCK_MONOTONIC, which is one for all processes of a machine.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from bench.setting import BenchError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Mapping

_GRACE_SECONDS = 30.0


class Beside:
    """A process that has begun."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def finish(self) -> list[str]:
        """End it; returns the lines it prints."""
        said, _ = self._process.communicate(timeout=_GRACE_SECONDS)
        if self._process.returncode:
            raise BenchError(f"a process beside the measurement ended with {self._process.returncode}")
        return said.splitlines()


@contextmanager
def beside(environment: Mapping[str, str], module: str, *arguments: str) -> Iterator[Beside]:
    """Start `python -m module` with the kubeconfig of `environment` as its first argument."""
    command = [sys.executable, "-m", module, environment["KUBECONFIG"], *arguments]
    process = subprocess.Popen(
        command,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise BenchError(f"{module} did not begin")
        yield Beside(process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


async def until_told(work: Coroutine[None, None, None]) -> None:
    """For such a process: do `work` until stdin is closed."""
    loop = asyncio.get_running_loop()
    closed = loop.create_future()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    reading = asyncio.ensure_future(reader.read())
    reading.add_done_callback(lambda _: closed.set_result(None))
    working = asyncio.ensure_future(work)
    print("ready", flush=True)
    await asyncio.wait([closed, working], return_when=asyncio.FIRST_COMPLETED)
    transport.close()
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
