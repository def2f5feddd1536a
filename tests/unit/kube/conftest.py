"""A scripted server, a client for it, and a clock that moves only when somebody sleeps."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from knavtool.kube import watching
from knavtool.kube.client import Client
from knavtool.kube.connecting import open_client
from knavtool.kube.connection import limiting, transport
from support.api_server import ApiServer, serve
from support.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    given = Clock()
    given.rule(monkeypatch, transport, watching, limiting)
    return given


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with serve() as running:
        yield running


@pytest.fixture
async def client(server: ApiServer, clock: Clock) -> AsyncIterator[Client]:
    async with open_client(server.access()) as opened:
        yield opened


@pytest.fixture
def deaf() -> Iterator[socket.socket]:
    """A socket whose port refuses connections: taken, so that nobody else gets it, but not listened at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken


@pytest.fixture
def refused_port(deaf: socket.socket) -> int:
    """A port that refuses connections."""
    port: int = deaf.getsockname()[1]
    return port
