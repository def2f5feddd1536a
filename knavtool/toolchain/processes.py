"""Programs that are run for their output: the whole process group ends with the task that waits for it."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.subprocesses import process_group

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
    async with process_group(
        *command,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        cwd=directory,
        env=dict(environment),
        limit=_LINE_LIMIT,
    ) as process:
        assert process.stdout is not None  # noqa: S101 - both are pipes
        assert process.stderr is not None  # noqa: S101
        stdout, stderr = await asyncio.gather(process.stdout.read(), _lines(process.stderr, on_error_line))
        code = await process.wait()
    return Finished(code, stdout.decode(errors="replace"), stderr)


async def _lines(stream: asyncio.StreamReader, listener: Callable[[str], object]) -> str:
    heard = []
    async for raw in stream:
        line = raw.decode(errors="replace").rstrip()
        heard.append(line)
        listener(line)
    return "\n".join(heard)
