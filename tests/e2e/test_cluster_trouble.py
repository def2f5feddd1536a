"""`knavtool cluster` when processes are killed, directories vanish, signals arrive and programs fail."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import yaml

from knavtool.kube.resource import NODES, STAGES
from support import kubeconfigs, processes
from support.cli import SCRIPT
from support.control_plane import CONTROL_PLANE, LocalCluster
from support.sockets import listening

pytestmark = pytest.mark.cluster
in_monitored = pytest.mark.xdist_group("monitored")

Moment = Callable[[LocalCluster, str], bool]


def _kill(*numbers: int) -> None:
    """Kill processes and wait until they are gone."""
    for number in numbers:
        # With its keeper a process dies as well.
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    assert processes.survivors(list(numbers), within=10) == []


@in_monitored
@pytest.mark.parametrize("name", [*CONTROL_PLANE, "kwok", "prometheus"])
def test_up_repairs_a_process_that_was_killed(whole: LocalCluster, name: str) -> None:
    """The process of a component only dies for good if its keeper does."""
    before = whole.pids()
    node = f"survivor-{name}"
    stages = _versions(whole)
    whole.ask(lambda client: client.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}}))
    try:
        _kill(whole.keepers().get(name, before[name]), before[name])
        rows = whole.status(check=4)
        assert rows[name]["state"] == "dead"
        assert rows[name]["pid"] is None
        assert [row["component"] for row in rows.values() if row["state"] == "dead"] == [name]

        done = whole.up(prometheus=True)
        assert name in done.stderr
        after = whole.pids()
        assert after.pop(name) != before.pop(name)
        assert after == before
        whole.until_healthy()
        assert whole.ask(lambda client: client.get(NODES, node))["metadata"]["name"] == node
        assert _versions(whole) == stages
    finally:
        whole.ask(lambda client: client.delete(NODES, node))


@in_monitored
@pytest.mark.parametrize("name", ["kwok", "prometheus"])
def test_a_component_s_process_that_was_killed_is_started_again(whole: LocalCluster, name: str) -> None:
    before, rows = whole.pids(), whole.status()
    keepers = whole.keepers()
    assert (rows[name]["restarts"], rows[name]["last_exit"]) == (0, "")
    _kill(before[name])
    after = before | {name: whole.until_restarted(name, before[name])}
    assert whole.pids() == after
    assert whole.keepers() == keepers
    row = whole.status()[name]
    assert (row["state"], row["pid"]) == ("healthy", after[name])
    assert (row["restarts"], row["last_exit"]) == (1, "signal 9 (Killed)")
    assert "nothing to do" in whole.up(prometheus=True).stdout
    # A repair begins to count anew.
    _kill(keepers[name])
    whole.up(prometheus=True)
    assert whole.status()[name]["restarts"] == 0


def _versions(cluster: LocalCluster) -> dict[str, str]:
    stages = cluster.ask(lambda client: client.list(STAGES))
    return {stage["metadata"]["name"]: stage["metadata"]["resourceVersion"] for stage in stages}


@in_monitored
def test_up_repairs_several_processes_at_once(whole: LocalCluster) -> None:
    before = whole.pids()
    _kill(*whole.processes())
    rows = whole.status(check=4)
    assert {row["state"] for row in rows.values()} == {"dead"}
    whole.up(prometheus=True)
    after = whole.pids()
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())
    assert {row["state"] for row in whole.status().values()} == {"healthy"}


@in_monitored
def test_a_process_that_is_not_wanted_any_more_may_be_dead(whole: LocalCluster) -> None:
    _kill(whole.keepers()["prometheus"])
    whole.up()
    assert "prometheus" not in whole.status()


@in_monitored
def test_a_stopped_process_is_unhealthy(whole: LocalCluster) -> None:
    number = whole.pids()["kube-scheduler"]
    os.kill(number, signal.SIGSTOP)
    try:
        row = whole.status(check=4)["kube-scheduler"]
        assert row["state"] == "unhealthy"
        assert row["reason"].endswith("does not answer within 5 s")
        told = whole.cli("cluster", "status", "--name", whole.name, check=4)
        assert f"kube-scheduler is unhealthy: {row['reason']}; its log: {row['log']}" in told.stderr
        assert "REASON" not in told.stdout
    finally:
        os.kill(number, signal.SIGCONT)


@in_monitored
def test_a_port_that_somebody_took_meanwhile_is_told(whole: LocalCluster) -> None:
    before = whole.pids()
    port = int(whole.status()["kube-scheduler"]["endpoint"].rpartition(":")[2])
    _kill(before["kube-scheduler"])
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", port))
        holder.listen()
        done = whole.up(prometheus=True, check=4)
        assert f"port {port} for kube-scheduler of cluster monitored is taken by " in done.stderr
        assert f"(process {os.getpid()})" in done.stderr
    assert whole.pids() == before
    whole.up(prometheus=True)
    assert {row["state"] for row in whole.status().values()} == {"healthy"}


@in_monitored
def test_another_port_is_chosen_where_somebody_took_one_meanwhile(whole: LocalCluster) -> None:
    port = int(whole.status()["prometheus"]["endpoint"].rpartition(":")[2])
    _kill(whole.keepers()["prometheus"], whole.pids()["prometheus"])
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", port))
        holder.listen()
        done = whole.up(prometheus=True)
        assert f"port {port} is taken by " in done.stderr
        assert f"(process {os.getpid()}); another one is used" in done.stderr
    rows = whole.status()
    assert {row["state"] for row in rows.values()} == {"healthy"}
    assert int(rows["prometheus"]["endpoint"].rpartition(":")[2]) != port


def test_down_of_a_cluster_that_is_dead(own: LocalCluster) -> None:
    own.up(prometheus=True)
    addresses = listening(own.processes())
    _kill(*own.processes())
    own.down()
    assert own.processes() == {}
    assert not own.files.directory.exists()
    _free(addresses)


def _free(addresses: set[tuple[str, int]]) -> None:
    assert addresses
    for address in addresses:
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)


@pytest.mark.slow
def test_a_directory_that_was_removed_by_hand(own: LocalCluster) -> None:
    own.up()
    first = own.processes()
    shutil.rmtree(own.files.directory)
    own.cli("cluster", "status", "--name", own.name, check=4)
    own.up()
    second = own.processes()
    assert not first.keys() & second.keys()
    assert processes.survivors(list(first), within=0) == []
    assert {row["state"] for row in own.status().values()} == {"healthy"}

    addresses = listening(second)
    shutil.rmtree(own.files.directory)
    own.down()
    assert own.processes() == {}
    _free(addresses)
    config = yaml.safe_load(own.kubeconfig.read_text())
    assert (config["contexts"], config["current-context"]) == ([], "")


def test_damaged_files_of_a_cluster_are_told_and_down_removes_it(own: LocalCluster) -> None:
    own.up()
    record = own.files.record.read_text()
    for content in ("{", "[]", "{}", '{"components": 1}', "\x00"):
        own.files.record.write_text(content)
        for command in ("status", "up"):
            done = own.cli("cluster", command, "--name", own.name, check=4)
            assert f"{own.files.record} cannot be read" in done.stderr
            assert "knavtool cluster down --name own" in done.stderr
    own.files.record.write_text(record)
    for content in ("", "{", "a: 1", None):
        if content is None:
            own.files.kwokctl.unlink()
        else:
            own.files.kwokctl.write_text(content)
        done = own.up(check=4)
        assert str(own.files.kwokctl) in done.stderr
    own.files.record.write_text("{")
    own.down()
    assert own.processes() == {}
    assert own.context not in own.kubeconfig.read_text()


@contextmanager
def _starting(cluster: LocalCluster, *, prometheus: bool) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """`cluster up` in a process of its own, and the file that it tells its progress to."""
    said = cluster.root / "said"
    with said.open("wb") as sink:
        process = subprocess.Popen(
            [str(SCRIPT), "cluster", "up", "--name", cluster.name, "--prometheus" if prometheus else "--no-prometheus"],
            env={**os.environ, **cluster.environment},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    try:
        yield process, said
    finally:
        process.kill()
        process.wait()


def _at(cluster: LocalCluster, moment: Moment, number: signal.Signals, *, prometheus: bool = False) -> tuple[int, str]:
    """Start a cluster, send a signal at a moment of that; returns the exit code and what was said."""
    with _starting(cluster, prometheus=prometheus) as (process, said):
        deadline = time.monotonic() + 60
        while not moment(cluster, said.read_text()):
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.002)
        process.send_signal(number)
        return process.wait(60), said.read_text()


MOMENTS: dict[str, Moment] = {
    "the lock is taken": lambda cluster, _: (cluster.files.work / "locks" / cluster.name).exists(),
    "there is a directory": lambda cluster, _: cluster.files.directory.exists(),
    "etcd starts": lambda cluster, _: cluster.files.pid("etcd").exists(),
    "the API server starts": lambda cluster, _: cluster.files.pid("kube-apiserver").exists(),
    "the control plane answers": lambda _, said: re.search(r"ok +control plane", said) is not None,
    "KWOK starts": lambda cluster, _: cluster.files.pid("kwok").exists(),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "number"), [*((moment, signal.SIGINT) for moment in MOMENTS), ("KWOK starts", signal.SIGTERM)]
)
def test_an_interrupted_up_leaves_nothing(own: LocalCluster, moment: str, number: signal.Signals) -> None:
    kubeconfigs.write(own.kubeconfig, "https://127.0.0.1:1")
    before = own.kubeconfig.read_bytes()
    code, said = _at(own, MOMENTS[moment], number)
    assert code == 130, said
    assert said.splitlines()[-1] == "interrupted"
    assert "Traceback" not in said
    assert own.processes() == {}
    assert not own.files.directory.exists()
    assert own.kubeconfig.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("moment", [name for name in MOMENTS if name != "the lock is taken"])
def test_after_an_up_that_was_killed(own: LocalCluster, moment: str) -> None:
    code, said = _at(own, MOMENTS[moment], signal.SIGKILL)
    assert code == -signal.SIGKILL, said
    done = own.cli("cluster", "status", "--name", own.name, check=4)
    assert re.search(
        "there is no cluster own|the last `knavtool cluster up` of cluster own did not finish", done.stderr
    )
    own.up()
    rows = own.status()
    assert rows.keys() == {*CONTROL_PLANE, "kwok"}
    assert {row["state"] for row in rows.values()} == {"healthy"}
    assert own.pids().keys() == rows.keys()
    assert {*own.pids().values(), *own.keepers().values()} == own.processes().keys()
    assert len(_versions(own)) == 16


def test_down_after_an_up_that_was_killed(own: LocalCluster) -> None:
    code, said = _at(own, MOMENTS["the API server starts"], signal.SIGKILL)
    assert code == -signal.SIGKILL, said
    own.down()
    assert own.processes() == {}
    assert not own.files.directory.exists()


def test_an_interrupted_repair_leaves_the_cluster(own: LocalCluster) -> None:
    own.up()
    before = own.pids()
    _kill(before["kube-apiserver"], before["kube-scheduler"])
    code, said = _at(own, lambda *_: own.pids().get("kube-apiserver") != before["kube-apiserver"], signal.SIGINT)
    assert code == 130, said
    assert "Traceback" not in said
    after = own.pids()
    assert {name: after[name] for name in ("etcd", "kwok")} == {name: before[name] for name in ("etcd", "kwok")}
    own.up()
    assert {row["state"] for row in own.status().values()} == {"healthy"}


@in_monitored
def test_an_interruption_of_what_is_added_leaves_the_rest(whole: LocalCluster) -> None:
    whole.up()
    before = whole.pids()
    moment: Moment = lambda cluster, _: cluster.files.pid("prometheus").exists()  # noqa: E731
    code, said = _at(whole, moment, signal.SIGINT, prometheus=True)
    assert code in (0, 130), said
    assert "Traceback" not in said
    after = whole.pids()
    after.pop("prometheus", None)
    assert after == before
    # Whether its process was left or not, everybody knows of it.
    assert "prometheus" in whole.status(check=None)
    whole.up(prometheus=True)
    assert {row["state"] for row in whole.status().values()} == {"healthy"}
    assert {*whole.pids().values(), *whole.keepers().values()} == whole.processes().keys()


def test_two_at_the_same_time(own: LocalCluster) -> None:
    with _starting(own, prometheus=False) as (first, _):
        deadline = time.monotonic() + 60
        while not own.files.directory.exists():
            assert time.monotonic() < deadline
            time.sleep(0.002)
        for command in ("up", "down"):
            done = own.cli("cluster", command, "--name", own.name, check=4)
            assert done.stderr.splitlines() == [
                f"error: another knavtool (process {first.pid}) is working on cluster own",
                "try: wait until it is done, or give this cluster another --name",
            ]
        assert first.wait(60) == 0
    assert {row["state"] for row in own.status().values()} == {"healthy"}


@pytest.mark.parametrize("gates", ["NoSuchGate=true", "AllAlpha", "A=b=c,"])
def test_a_process_that_does_not_start_is_told_with_its_log(own: LocalCluster, gates: str) -> None:
    done = own.up("--feature-gates", gates, check=4)
    assert re.search(r"^error: kube-\S+ ended while it was needed; the end of \S+\.log:$", done.stderr, re.MULTILINE)
    assert gates.partition("=")[0] in done.stderr.partition("error: ")[2]
    assert own.processes() == {}
    assert not own.files.directory.exists()
    assert not own.kubeconfig.exists()


def test_time_that_is_up_is_told_and_everything_is_removed(own: LocalCluster) -> None:
    done = own.up("--timeout", "300ms", check=4)
    assert "error: cluster own was not ready within 0.3 s" in done.stderr
    assert "--timeout" in done.stderr
    assert own.processes() == {}
    assert not own.files.directory.exists()


def test_a_kubeconfig_that_cannot_be_written(own: LocalCluster) -> None:
    (own.root / "file").write_text("")
    done = own.up("--kubeconfig", str(own.root / "file" / "config"), check=None)
    assert done.returncode in (2, 4)
    assert str(own.root / "file") in done.stderr
    assert own.processes() == {}
    assert not own.files.directory.exists()
