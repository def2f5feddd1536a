"""Sockets that listen, and HTTP servers on them whose life is that of a task."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from typing import TYPE_CHECKING, Any

import uvicorn

from knavtool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def http_server(app: Any, *, connections: int, last_answers: int = _LAST_ANSWERS) -> uvicorn.Server:
    """A server of an ASGI application, for at most so many connections; its `serve(sockets=[...])` serves.

    That goes on until `should_exit` is set; answers that are on their way have `last_answers` seconds then. Signals
    are not its business but that of the command.
    """
    return _Server(
        uvicorn.Config(
            app,
            http="h11",  # the one that limits headers
            h11_max_incomplete_event_size=_LONGEST_HEADERS,
            limit_concurrency=connections,
            timeout_graceful_shutdown=last_answers,
            ws="none",
            lifespan="off",
            log_config=None,
            server_header=False,
            proxy_headers=False,
        )
    )


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The command handles signals; what it has to end may need this server's answers until then."""
        yield
