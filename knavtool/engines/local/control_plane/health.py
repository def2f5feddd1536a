"""Whether a process answers on its health endpoint on 127.0.0.1, and what it answers instead."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

_PAUSE = 0.03
_LONGEST_TEXT = 200
_LONGEST_BODY = 1 << 14


async def until_healthy(url: str, *, each: float = 1.0, heard: Callable[[str], None] = lambda _: None) -> None:
    """Wait until `url` answers 200, at most `each` seconds a time; bounded by the caller. `heard` gets other answers.

    A process that begins to listen tells nobody, so it is asked again after a short pause.
    """
    while complaint := await answer(url, within=each):
        heard(complaint)
        await asyncio.sleep(_PAUSE)


async def lasting_answer(url: str, *, within: float) -> str:
    """As `answer`, but what is no 200 counts only if it lasts `within` seconds: a busy server has bad moments."""
    complaints = [f"does not answer within {within:g} s"]
    try:
        async with asyncio.timeout(within):
            await until_healthy(url, each=within, heard=complaints.append)
    except TimeoutError:
        return complaints[-1]
    return ""


async def answer(url: str, *, within: float) -> str:
    """What `url` answers in `within` seconds, "" for 200: its status and a line of the body, or why none."""
    parts = urlsplit(url)
    assert parts.hostname and parts.port  # noqa: PT018, S101 - these are our own addresses
    try:
        async with asyncio.timeout(within):
            reader, writer = await asyncio.open_connection(
                parts.hostname, parts.port, ssl=_unverified() if parts.scheme == "https" else None
            )
            try:
                target = f"{parts.path}?{parts.query}" if parts.query else parts.path
                request = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
                writer.write(request.encode())
                return await _complaint(reader)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except ConnectionRefusedError:
        return "refuses connections"
    except TimeoutError:
        return f"does not answer within {within:g} s"
    except (OSError, ValueError) as error:
        # A ValueError is a first line that has no end: whatever that is, it is not one of our processes.
        return f"does not speak {parts.scheme.upper()}: {error}"


async def _complaint(reader: asyncio.StreamReader) -> str:
    line = (await reader.readline()).decode(errors="replace")
    version, _, status = line.strip().partition(" ")
    if not version.startswith("HTTP/") or not status:
        return f"answers {line.strip()[:_LONGEST_TEXT]!r}, which is not HTTP" if line else "closes the connection"
    if status.partition(" ")[0] == "200":
        return ""
    # Of a body that breaks off, what came counts.
    with contextlib.suppress(OSError, ValueError):
        while (await reader.readline()).strip():
            pass
        lines = (await _body(reader)).decode(errors="replace").splitlines() or [""]
        # Kubernetes lists all its checks, good ones as [+] and bad ones as [-].
        line = next((one for one in lines if one.startswith("[-]")), lines[0]).strip()[:_LONGEST_TEXT]
        return f"answers {status}: {line}" if line and line.isprintable() else f"answers {status}"
    return f"answers {status}"


async def _body(reader: asyncio.StreamReader) -> bytes:
    body = b""
    with contextlib.suppress(OSError):
        while len(body) < _LONGEST_BODY and (chunk := await reader.read(_LONGEST_BODY)):
            body += chunk
    return body


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
