"""The life of the server: it listens, drains when it is interrupted, and leaves."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from knavtool.listening import http_server
from knavtool.server.app import create_app
from knavtool.server.queue import open_queue

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from knavtool.server.context import Settings
    from knavtool.server.runs import CarryOut

logger = logging.getLogger(__name__)

_MOST_CONNECTIONS = 512


async def serve(
    listening: socket.socket,
    carry_out: CarryOut,
    settings: Settings,
    *,
    limit: int,
    keep: int,
    drain: float,
    recordings: Path | None = None,
) -> None:
    """Serve until this task is cancelled: then no run is taken any more, and the one that runs may end within `drain`
    seconds before it is cancelled. A second cancellation cancels it at once, a third one leaves its cleanup undone.
    """
    async with open_queue(carry_out, limit=limit, keep=keep, recordings=recordings) as queue:
        server = http_server(create_app(queue, settings), connections=_MOST_CONNECTIONS)
        serving = asyncio.create_task(server.serve(sockets=[listening]), name="server")
        try:
            if await _interrupted(serving):
                logger.info("no new runs; the one that runs has %g s", drain)
                draining = asyncio.create_task(queue.drain(drain), name="drain")
                if await _interrupted(draining):
                    queue.hurry()
                    await draining
        finally:
            server.should_exit = True
            await serving


async def _interrupted(task: asyncio.Task[None]) -> bool:
    """Wait for a task; True if this one was cancelled before it had ended, and then is as if it had not been."""
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        current = asyncio.current_task()
        if current is None or not current.cancelling():
            raise
        current.uncancel()
        return True
    return False
