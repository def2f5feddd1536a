"""Free ports, and who holds one that is taken."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from knavtool.engines.local.control_plane import kwokctl
from knavtool.engines.local.state import ports as module
from knavtool.engines.local.state import record
from knavtool.engines.local.state.layout import ClusterFiles
from knavtool.engines.local.state.ports import Ports, require_free
from knavtool.engines.local.state.record import Record
from knavtool.errors import EngineError


@pytest.fixture(params=["127.0.0.1", "0.0.0.0", "::"])
def taken(request: pytest.FixtureRequest) -> Iterator[int]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.socket(family) as holder:
        holder.bind((request.param, 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_ports_are_different_and_free() -> None:
    with Ports() as ports:
        found = [*ports.take(25), *ports.take(25)]
    assert len(set(found)) == 50
    for port in found:
        require_free(port, use="a test", hint="")


def test_none_that_the_system_gives_to_outgoing_connections() -> None:
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    with Ports() as ports:
        assert not [port for port in ports.take(200) if low <= port <= high]


@pytest.mark.parametrize(
    ("outgoing", "reserved", "expected"),
    [
        ("32768 60999", "", range(20000, 30000)),
        ("32768\t60999\n", "20000-28999,29999\n", [*range(29000, 29999)]),
        ("15000 65535", "", range(10000, 15000)),
        ("15000 64000", "", [*range(10000, 15000), *range(64001, 65536)]),
        # There is no good choice, and one of these is better than none.
        ("1024 65535", "", range(20000, 30000)),
        ("nonsense", "", range(20000, 30000)),
    ],
)
def test_ports_suit_the_settings_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outgoing: str, reserved: str, expected: Sequence[int]
) -> None:
    (tmp_path / "ip_local_port_range").write_text(outgoing)
    (tmp_path / "ip_local_reserved_ports").write_text(reserved)
    monkeypatch.setattr("knavtool.engines.local.state.ports._SETTINGS", tmp_path)
    monkeypatch.setattr("knavtool.engines.local.state.ports._ENOUGH", 900)
    assert module._candidates() == list(expected)


def test_none_of_those_that_are_given_away(monkeypatch: pytest.MonkeyPatch) -> None:
    with Ports() as ports:
        first, second, third = free = ports.take(3)
    monkeypatch.setattr("knavtool.engines.local.state.ports._candidates", lambda: free)
    with Ports(besides=[second]) as ports:
        assert set(ports.take(2)) == {first, third}
        with pytest.raises(EngineError, match=f"no 1 ports between {first} and {third} are free on"):
            ports.take(1)


TAKER = """\
import sys
from knavtool.engines.local.state.ports import Ports
with Ports() as ports:
    print(*ports.take(300), flush=True)
    sys.stdin.read()
"""


def test_no_two_processes_are_given_the_same_port_before_they_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports are only watched over for as long as their servers need to start."""
    takers = [
        subprocess.Popen([sys.executable, "-c", TAKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    found = []
    try:
        for taker in takers:
            assert taker.stdout is not None
            found += taker.stdout.readline().split()
    finally:
        for taker in takers:
            taker.communicate()
    assert len(set(found)) == len(found) == 1200
    monkeypatch.setattr("knavtool.engines.local.state.ports._candidates", lambda: [int(port) for port in found[:3]])
    with Ports() as ports:
        assert sorted(ports.take(3)) == sorted(map(int, found[:3]))


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
    # Clusters of other tests take ports all the time, so these are free ones.
    with Ports() as ports:
        free = ports.take(6)
    monkeypatch.setattr("knavtool.engines.local.state.ports._candidates", lambda: free)
    with Ports(besides=[free[0]]) as ports:
        chosen = kwokctl.choose_ports(free[0], ports)
    assert chosen.pop(kwokctl.API_SERVER_PORT) == free[0]
    assert len(set(chosen.values())) == 4
    assert free[0] not in chosen.values()


def test_ports_of_all_clusters_of_a_user_are_known(files: ClusterFiles) -> None:
    for name, port in (("test", 20001), ("other", 20002)):
        one = replace(files, name=name)
        one.directory.mkdir(exist_ok=True)
        record.save(one, Record(ports={"etcd/http": port, "etcd/peer": port + 100}))
    broken = replace(files, name="broken")
    broken.directory.mkdir()
    broken.record.write_text("{")
    replace(files, name="empty").directory.mkdir()
    assert record.ports_of_all(files) == {20001, 20101, 20002, 20102}


def test_ports_are_had_again_if_they_are_free(taken: int) -> None:
    with Ports() as ports:
        (free, given) = ports.take(2)
    before = {"etcd/http": free, "etcd/peer": taken, "kueue/webhook": given + 1, "gone/http": given}
    with Ports(besides={given}) as ports:
        assert not ports.claim(given)
        found = kwokctl.choose_ports(given, ports, ["kueue/webhook"], before)
        assert not ports.claim(free)
    assert found["kube-apiserver/https"] == given
    assert found["etcd/http"] == free
    assert found["etcd/peer"] != taken
    assert set(found) == {*kwokctl._PORTS, "kueue/webhook"}
    assert len(set(found.values())) == len(found)
