"""Programs that end with the task that waits for them, and with them whatever they have started."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator


@asynccontextmanager
async def process_group(*command: str, grace: float = 0.0, **options: Any) -> AsyncIterator[Process]:
    """Start a program in a session of its own for the block, which waits for its end.

    If the block is left before that, the whole group is asked to end and killed after `grace` seconds. The options are
    those of `asyncio.create_subprocess_exec`. Raises OSError if the program cannot be started.
    """
    process = await _started(command, grace, options)
    try:
        yield process
    finally:
        if process.returncode is None:
            await _end(process, grace)


async def _started(command: tuple[str, ...], grace: float, options: dict[str, Any]) -> Process:
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(*command, start_new_session=True, **options), name=f"start-{command[0]}"
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # asyncio would kill the program alone, and then wait for the pipes that what it has started may hold open. So
        # the start, which takes milliseconds, is awaited whatever comes meanwhile.
        while not starting.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([starting])
        if not starting.cancelled() and starting.exception() is None:
            await _end(starting.result(), grace)
        raise


async def _end(process: Process, grace: float) -> None:
    """Ask the process group to end, and kill it if it does not; a second cancellation meanwhile kills it at once."""
    try:
        if grace:
            os.killpg(process.pid, signal.SIGTERM)
            async with asyncio.timeout(grace):
                await process.wait()
    except (ProcessLookupError, TimeoutError):
        pass
    finally:
        # What the program has started itself may have outlived it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())
