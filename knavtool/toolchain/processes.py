"""Programs that are run for their output: the whole process group ends with the task that waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_LINE_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended and what it wrote."""

    code: int
    stdout: str
    stderr: str


def _ignore(_: str) -> None:
    pass


async def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    directory: Path | None = None,
    on_error_line: Callable[[str], object] = _ignore,
) -> Finished:
    """Run `command` to its end; `on_error_line` hears each line of its stderr. A cancel kills its process group."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        cwd=directory,
        env=dict(environment),
        start_new_session=True,
        limit=_LINE_LIMIT,
    )
    assert process.stdout is not None  # noqa: S101 - both are pipes
    assert process.stderr is not None  # noqa: S101
    try:
        stdout, stderr = await asyncio.gather(process.stdout.read(), _lines(process.stderr, on_error_line))
        code = await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return Finished(code, stdout.decode(errors="replace"), stderr)


async def _lines(stream: asyncio.StreamReader, listener: Callable[[str], object]) -> str:
    heard = []
    async for raw in stream:
        line = raw.decode(errors="replace").rstrip()
        heard.append(line)
        listener(line)
    return "\n".join(heard)
