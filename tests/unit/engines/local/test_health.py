"""Health checks against servers on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from knavtool.engines.local.control_plane.health import answer, lasting_answer, origin, until_healthy
from support.certificates import Authority

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def server(*answers: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answers each connection with the next of these bytes, the last one for ever; yields URL and requests."""
    left = list(answers)
    seen: list[bytes] = []

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        writer.close()

    running = await asyncio.start_server(reply, "127.0.0.1", 0, ssl=tls)
    async with running:
        port = running.sockets[0].getsockname()[1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}/healthz", seen


async def test_200_is_healthy() -> None:
    async with server(OK) as (url, seen):
        assert not await answer(url, within=10)
    assert seen[0].startswith(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"HTTP/1.1 500 no\r\n\r\n", "answers 500 no"),
        (
            b"HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n404 page not found\nmore",
            "answers 404 Not Found: 404 page not found",
        ),
        (
            b"HTTP/1.1 500 no\r\n\r\n[+]ping ok\n[-]etcd failed: reason withheld\n[+]log ok\n",
            "answers 500 no: [-]etcd failed: reason withheld",
        ),
        (b"HTTP/1.1 403\r\nA: b", "answers 403"),
        (b"HTTP/1.1 503 no\r\n\r\n\x00\x01", "answers 503 no"),
        (b"", "closes the connection"),
        (b"\r\n", "answers '', which is not HTTP"),
        (b"200", "answers '200', which is not HTTP"),
        (b"SSH-2.0-OpenSSH\r\n", "answers 'SSH-2.0-OpenSSH', which is not HTTP"),
        (b"x" * 200_000, "does not speak HTTP: "),
    ],
    ids=[
        "500",
        "404",
        "readyz",
        "403",
        "no text",
        "nothing",
        "empty line",
        "half a line",
        "something else",
        "an endless line",
    ],
)
async def test_anything_else_is_not_and_is_told(sent: bytes, said: str) -> None:
    async with server(sent) as (url, _):
        assert await answer(url, within=10)
        told = await answer(url, within=10)
    assert told.startswith(said) if said.endswith(": ") else told == said


async def test_a_certificate_of_its_own_will_do(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.serving(authority.issue("server", address="127.0.0.9"))
    async with server(OK, tls=context) as (url, _):
        assert not await answer(url, within=10)
        assert await answer(url.replace("https", "http"), within=10)


async def test_nobody_listens() -> None:
    async with server(OK) as (url, _):
        pass
    assert await answer(url, within=10) == "refuses connections"


async def test_an_answer_that_does_not_last_does_not_count() -> None:
    answers = [b"HTTP/1.1 500 no\r\n\r\n", OK]

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answers.pop(0) if len(answers) > 1 else answers[0])
        writer.close()

    running = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with running:
        url = f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}/readyz"
        assert await lasting_answer(url, within=10) == ""
        answers[:] = [b"HTTP/1.1 500 no\r\n\r\n"]
        assert await lasting_answer(url, within=0.2) == "answers 500 no"


async def test_silence() -> None:
    held = asyncio.Event()

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await held.wait()
        writer.close()

    running = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with running:
        port = running.sockets[0].getsockname()[1]
        assert await answer(f"http://127.0.0.1:{port}/", within=0.05) == "does not answer within 0.05 s"
        held.set()


async def test_waiting_ends_with_the_first_200() -> None:
    async with server(b"HTTP/1.1 500 no\r\n\r\n", b"", OK) as (url, seen), asyncio.timeout(20):
        heard: list[str] = []
        await until_healthy(url, heard=heard.append)
    assert len(seen) == 3
    assert heard == ["answers 500 no", "closes the connection"]


def test_origin() -> None:
    assert origin("https://127.0.0.1:1/readyz?verbose") == "https://127.0.0.1:1"
