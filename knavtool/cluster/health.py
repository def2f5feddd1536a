"""Whether a process answers on its health endpoint on 127.0.0.1."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from functools import cache
from urllib.parse import urlsplit

_PAUSE = 0.03


async def until_healthy(url: str) -> None:
    """Wait until `url` answers 200; bounded by the caller.

    A process that begins to listen tells nobody, so it is asked again after a short pause.
    """
    while not await healthy(url, within=1.0):  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(_PAUSE)


async def healthy(url: str, *, within: float) -> bool:
    """Whether `url` answers 200 in `within` seconds."""
    parts = urlsplit(url)
    assert parts.hostname and parts.port  # noqa: PT018, S101 - these are our own addresses
    try:
        async with asyncio.timeout(within):
            reader, writer = await asyncio.open_connection(
                parts.hostname, parts.port, ssl=_unverified() if parts.scheme == "https" else None
            )
            try:
                request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
                writer.write(request.encode())
                status = (await reader.readline()).split()
                return len(status) > 1 and status[1] == b"200"
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError, ValueError):
        # A ValueError is a first line that has no end: whatever that is, it is not one of our processes.
        return False


def origin(url: str) -> str:
    """Scheme, host and port of an URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@cache
def _unverified() -> ssl.SSLContext:
    """Scheduler and controller manager sign their own certificates; a health check carries no secret.

    One serves all questions, and without the system's authorities, which take longer to load than an answer.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
