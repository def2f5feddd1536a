"""Free ports, and who holds one that is taken."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from knavtool.cluster.engines.local import kwokctl
from knavtool.cluster.ports import free_ports, require_free
from knavtool.errors import EngineError


@pytest.fixture(params=["127.0.0.1", "0.0.0.0", "::"])
def taken(request: pytest.FixtureRequest) -> Iterator[int]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.socket(family) as holder:
        holder.bind((request.param, 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_ports_are_different_and_free() -> None:
    found = free_ports(50)
    assert len(set(found)) == 50
    for port in found:
        require_free(port, use="a test", hint="")


def test_none_of_those_that_are_given_away(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = iter([1001, 1002, 1003])

    class Socket:
        def __enter__(self) -> Self:
            self._port = next(offered)
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def bind(self, address: tuple[str, int]) -> None:
            assert address == ("127.0.0.1", 0)

        def getsockname(self) -> tuple[str, int]:
            return "127.0.0.1", self._port

    monkeypatch.setattr("knavtool.cluster.ports.socket.socket", Socket)
    assert free_ports(2, besides=[1002]) == [1001, 1003]


def test_the_holder_of_a_port_is_named(taken: int) -> None:
    name = Path("/proc/self/comm").read_text().strip()
    with pytest.raises(EngineError) as raised:
        require_free(taken, use="the API server", hint="another one")
    assert raised.value.message == f"port {taken} for the API server is taken by {name} (process {os.getpid()})"
    assert raised.value.hint == "another one"


def test_a_port_that_has_just_been_used_is_free() -> None:
    """What a connection leaves in TIME_WAIT does not count."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            connection, _ = server.accept()
            connection.close()
            assert client.recv(1) == b""
    require_free(port, use="a test", hint="")


def test_the_chosen_port_is_given_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, list[int]]] = []

    def ports(count: int, *, besides: list[int]) -> list[int]:
        asked.append((count, list(besides)))
        return list(range(1, count + 1))

    monkeypatch.setattr(kwokctl, "free_ports", ports)
    assert kwokctl.choose_ports(7)[kwokctl.API_SERVER_PORT] == 7
    assert set(kwokctl.choose_ports(None).values()) == {1, 2, 3, 4, 5}
    assert asked == [(4, [7]), (5, [])]
