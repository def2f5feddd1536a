"""Health checks against servers on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from knavtool.cluster.health import healthy, origin, until_healthy
from support.certificates import Authority

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def server(*answers: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answers each connection with the next of these bytes, the last one for ever; yields URL and requests."""
    left = list(answers)
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        writer.close()

    running = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with running:
        port = running.sockets[0].getsockname()[1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}/healthz", seen


async def test_200_is_healthy() -> None:
    async with server(OK) as (url, seen):
        assert await healthy(url, within=10)
    assert seen[0].startswith(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 no\r\n\r\n",
        b"HTTP/1.1 403 no\r\n\r\n",
        b"",
        b"\r\n",
        b"200",
        b"SSH-2.0-OpenSSH\r\n",
        b"x" * 200_000,
    ],
    ids=["500", "403", "nothing", "empty line", "half a line", "something else", "an endless line"],
)
async def test_anything_else_is_not(answer: bytes) -> None:
    async with server(answer) as (url, _):
        assert not await healthy(url, within=10)


async def test_a_certificate_of_its_own_will_do(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.serving(authority.issue("server", address="127.0.0.9"))
    async with server(OK, tls=context) as (url, _):
        assert await healthy(url, within=10)
        assert not await healthy(url.replace("https", "http"), within=10)


async def test_nobody_listens() -> None:
    async with server(OK) as (url, _):
        pass
    assert not await healthy(url, within=10)


async def test_silence() -> None:
    held = asyncio.Event()

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await held.wait()
        writer.close()

    running = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with running:
        port = running.sockets[0].getsockname()[1]
        assert not await healthy(f"http://127.0.0.1:{port}/", within=0.05)
        held.set()


async def test_waiting_ends_with_the_first_200() -> None:
    async with server(b"HTTP/1.1 500 no\r\n\r\n", b"", OK) as (url, seen), asyncio.timeout(20):
        await until_healthy(url)
    assert len(seen) == 3


def test_origin() -> None:
    assert origin("https://127.0.0.1:1/readyz?verbose") == "https://127.0.0.1:1"
