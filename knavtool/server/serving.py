"""The life of the server: it listens, drains when it is interrupted, and leaves."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from typing import TYPE_CHECKING

import uvicorn

from knavtool.errors import UsageError
from knavtool.server.app import create_app
from knavtool.server.queue import open_queue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

    from knavtool.server.context import Settings
    from knavtool.server.runs import CarryOut

logger = logging.getLogger(__name__)

_MOST_CONNECTIONS = 512
_LONGEST_HEADERS = 32 * 1024
_LAST_ANSWERS = 5  # seconds for answers that are on their way when the server ends


def listener(address: str, *, option: str = "--listen") -> socket.socket:
    """A socket that listens on `HOST:PORT`, `[::1]:PORT` or, on all interfaces, `:PORT`; raises UsageError.

    `option` is where the address comes from.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{option} {address}: expected HOST:PORT, for example 127.0.0.1:8080")
    host = host.removeprefix("[").removesuffix("]")
    try:
        family, _, _, _, place = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(place[:2], family=family, backlog=512)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {address}: {error.strerror}", hint=f"{option} names another address"
        ) from None


def url(listening: socket.socket) -> str:
    """Where clients find a socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(listening: socket.socket) -> bool:
    """Whether only this machine can reach a socket."""
    return ipaddress.ip_address(listening.getsockname()[0]).is_loopback


def http_server(app: ASGIApp, *, last_answers: int = _LAST_ANSWERS) -> uvicorn.Server:
    """A server of an application; when it is to exit, answers that are on their way have so many seconds."""
    return _Server(
        uvicorn.Config(
            app,
            http="h11",  # the one that limits headers
            h11_max_incomplete_event_size=_LONGEST_HEADERS,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=last_answers,
            ws="none",
            lifespan="off",
            log_config=None,
            server_header=False,
            proxy_headers=False,
        )
    )


async def serve(
    listening: socket.socket, carry_out: CarryOut, settings: Settings, *, limit: int, keep: int, drain: float
) -> None:
    """Serve until this task is cancelled: then no run is taken any more, and the one that runs may end within `drain`
    seconds before it is cancelled. A second cancellation cancels it at once, a third one leaves its cleanup undone.
    """
    async with open_queue(carry_out, limit=limit, keep=keep) as queue:
        server = http_server(create_app(queue, settings))
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


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the command's; it must drain the queue while this server still answers."""
        yield
