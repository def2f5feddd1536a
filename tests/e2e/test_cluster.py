"""`knavtool cluster` as a user calls it: what it makes, what it shows, and what it refuses."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import stat
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from knavtool.kube.client import Client
from knavtool.kube.resource import NAMESPACES, NODES, PODS, STAGES
from support import kubeconfigs
from support.control_plane import CONTROL_PLANE, LocalCluster
from support.sockets import listening

pytestmark = pytest.mark.cluster
# Tests that share one cluster with Prometheus run on one worker.
in_monitored = pytest.mark.xdist_group("monitored")

ALL = {*CONTROL_PLANE, "kwok", "prometheus"}
STAGE_NAMES = {
    "node-initialize",
    "node-not-ready",
    "node-return",
    "node-heartbeat-with-lease",
    "pod-ready",
    "pod-not-ready",
    "pod-ready-again",
    "pod-terminate",
    "pv-bind",
    "pv-delete",
    "pvc-delete",
    "pvc-provision",
    "pod-complete",
    "pod-delete",
    "pod-init-container-running-failed",
    "pod-container-running-failed",
}


def test_up_adds_a_context_and_down_restores_the_one_before(own: LocalCluster) -> None:
    kubeconfigs.write(own.kubeconfig, "https://127.0.0.1:1", context="mine", token="secret")
    own.kubeconfig.chmod(0o644)
    before = yaml.safe_load(own.kubeconfig.read_text())
    done = own.up()
    assert done.stdout == ""
    for name in ("control plane", *CONTROL_PLANE, "kwok", f"context {own.context}", f"cluster {own.name}"):
        assert re.search(rf"^ *ok +{name}\b.* \d+(\.\d)?m?s\b", done.stderr, re.MULTILINE), done.stderr
    config = yaml.safe_load(own.kubeconfig.read_text())
    assert config["current-context"] == own.context == "knavtool-own"
    assert stat.S_IMODE(own.kubeconfig.stat().st_mode) == 0o600
    for part in ("clusters", "users", "contexts"):
        assert config[part][0] == before[part][0]
        assert [entry["name"] for entry in config[part]] == ["mine", own.context]
    assert own.ask(lambda client: client.version()) == own.status()["kube-apiserver"]["version"]

    ports = listening(own.processes())
    done = own.down()
    assert f"context {own.context} removed" in done.stderr
    assert yaml.safe_load(own.kubeconfig.read_text()) == before
    assert not own.files.directory.exists()
    assert own.processes() == {}
    for address in ports:
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)

    done = own.down()
    assert "there is no cluster own" in done.stdout + done.stderr
    done = own.cli("cluster", "status", "--name", own.name, check=4)
    assert done.stderr.splitlines() == [
        "error: there is no cluster own",
        "try: `knavtool cluster up --name own` makes it",
    ]


def test_every_kubeconfig_that_got_the_context_loses_it(own: LocalCluster) -> None:
    other = kubeconfigs.write(own.root / "other", "https://127.0.0.1:1", context="mine")
    before = yaml.safe_load(other.read_text())
    own.up()
    done = own.up("--kubeconfig", other)
    assert [line.split()[1] for line in done.stderr.splitlines()[1:-1]] == ["context"], done.stderr
    assert own.cli("--kubeconfig", other, "nodes", "list").stdout == ""
    assert yaml.safe_load(other.read_text())["current-context"] == own.context
    # It is not current any more, so it is made current again, and what was current in between is not forgotten.
    other.write_text(yaml.safe_dump(yaml.safe_load(other.read_text()) | {"current-context": "mine"}))
    own.up("--kubeconfig", other)
    own.down()
    assert yaml.safe_load(other.read_text()) == before
    assert own.context not in own.kubeconfig.read_text()


@in_monitored
def test_nobody_else_can_read_keys_and_kubeconfigs(whole: LocalCluster) -> None:
    directory = whole.files.directory
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    secret = [
        path
        for path in directory.rglob("*")
        if path.is_file() and (path.suffix == ".key" or "kubeconfig" in path.name or "token" in path.name)
    ]
    assert {"admin.key", "ca.key", "kubeconfig.yaml", "metrics.token", "token.kubeconfig", "tokens.csv"} <= {
        path.name for path in secret
    }
    modes = {str(path.relative_to(directory)): oct(stat.S_IMODE(path.stat().st_mode)) for path in secret}
    assert set(modes.values()) == {"0o600"}, modes
    assert stat.S_IMODE(whole.kubeconfig.stat().st_mode) == 0o600


@in_monitored
def test_all_processes_listen_on_loopback_only(whole: LocalCluster) -> None:
    pids = whole.pids()
    assert pids.keys() == ALL
    for name, number in pids.items():
        assert listening([number]), name
    addresses = {address for address, _ in listening(whole.processes())}
    assert addresses == {"127.0.0.1"}


@in_monitored
def test_prometheus_scrapes_every_process(whole: LocalCluster) -> None:
    assert _targets(whole) == dict.fromkeys(ALL, "up")


def _targets(cluster: LocalCluster) -> dict[str, str]:
    """The health of Prometheus's targets, once all are up or the last state after a minute."""
    url = cluster.status()["prometheus"]["endpoint"] + "/api/v1/targets?state=active"
    deadline = time.monotonic() + 60
    while True:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own address
            active = json.load(answer)["data"]["activeTargets"]
        health = {target["labels"]["component"]: target["health"] for target in active}
        if (health.keys() >= ALL and set(health.values()) == {"up"}) or time.monotonic() > deadline:
            return health
        time.sleep(0.2)


@in_monitored
def test_prometheus_comes_and_goes_and_nothing_else_changes(whole: LocalCluster) -> None:
    before = whole.pids()
    assert "nothing to do: cluster monitored is as wanted" in whole.up(prometheus=True).stdout

    done = whole.up()
    assert "prometheus" in done.stderr
    rest = {name: number for name, number in before.items() if name != "prometheus"}
    assert whole.pids() == rest
    assert whole.status().keys() == rest.keys()
    assert not Path(f"/proc/{before['prometheus']}/cmdline").exists() or _is_zombie(before["prometheus"])
    assert "nothing to do" in whole.up().stdout

    whole.up(prometheus=True)
    after = whole.pids()
    assert after.pop("prometheus") != before["prometheus"]
    assert after == rest
    assert _targets(whole) == dict.fromkeys(ALL, "up")


def _is_zombie(number: int) -> bool:
    return ") Z " in Path(f"/proc/{number}/stat").read_text()


@in_monitored
def test_a_second_up_changes_nothing(whole: LocalCluster) -> None:
    def state() -> Any:
        stages = whole.ask(lambda client: client.list(STAGES))
        return (
            whole.pids(),
            {stage["metadata"]["name"]: stage["metadata"]["resourceVersion"] for stage in stages},
            whole.kubeconfig.read_bytes(),
            whole.files.record.read_bytes(),
        )

    before = state()
    done = whole.up(prometheus=True)
    assert done.stdout == "nothing to do: cluster monitored is as wanted\n"
    assert done.stderr == ""
    assert state() == before
    assert before[1].keys() == STAGE_NAMES


@in_monitored
def test_what_cannot_change_is_refused(whole: LocalCluster) -> None:
    port = int(whole.status()["kube-apiserver"]["endpoint"].rpartition(":")[2])
    whole.up("--port", str(port), prometheus=True)
    done = whole.up("--port", str(port + 1), prometheus=True, check=2)
    assert f"cluster monitored exists with --port {port}, not {port + 1}" in done.stderr
    done = whole.up("--feature-gates", "AllAlpha=true", prometheus=True, check=2)
    assert "cluster monitored exists with --feature-gates none, not AllAlpha=true" in done.stderr
    assert "knavtool cluster down --name monitored" in done.stderr


@in_monitored
def test_status_is_a_table_json_and_yaml(whole: LocalCluster) -> None:
    rows = whole.status()
    assert rows.keys() == ALL
    assert {row["state"] for row in rows.values()} == {"healthy"}
    assert {name: row["pid"] for name, row in rows.items()} == whole.pids()
    assert all(Path(row["log"]).is_file() for row in rows.values())
    assert all(row["memory"] > 0 for row in rows.values())
    again = yaml.safe_load(whole.cli("cluster", "status", "--name", whole.name, "-o", "yaml").stdout)
    # What a process uses differs from one moment to the next.
    assert [row | {"memory": 0} for row in again] == [row | {"memory": 0} for row in rows.values()]
    table = whole.cli("cluster", "status", "--name", whole.name).stdout.splitlines()
    assert table[0].split() == [
        *("COMPONENT", "VERSION", "STATE", "PID", "MEMORY", "RESTARTS", "LAST-EXIT", "DIFFERS", "ENDPOINT", "LOG")
    ]
    assert {line.split()[0] for line in table[1:]} == ALL


@in_monitored
def test_logs_print_the_log_of_a_process(whole: LocalCluster) -> None:
    def logs(*args: str, check: int = 0) -> CompletedProcess[str]:
        return whole.cli("cluster", "logs", *args, "--name", whole.name, check=check)

    written = whole.files.log("kube-apiserver").read_text()
    assert logs("kube-apiserver").stdout.startswith(written)
    assert len(logs("kube-apiserver", "--tail", "3").stdout.splitlines()) == 3
    assert logs("kube-apiserver", "--tail", "0").stdout == ""
    for name in ALL:
        logs(name)
    done = logs("kube-proxy", check=2)
    assert "cluster monitored has no log of kube-proxy" in done.stderr
    assert "kube-scheduler" in done.stderr
    done = whole.cli("cluster", "logs", "etcd", "--name", "another", check=4)
    assert "there is no cluster another" in done.stderr


def test_stages_end_pods_as_their_labels_and_annotations_say(control_plane: LocalCluster) -> None:
    name = f"stages-{os.getpid()}"
    labels = {"type": "kwok"}

    def pod(which: str, *, label: str = "", **annotations: str) -> dict[str, Any]:
        named = {f"pod-complete.stage.kwok.x-k8s.io/{key}": value for key, value in annotations.items()}
        container = {"name": "c", "image": "none"}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": which,
                "annotations": named,
                "labels": {f"{label}.stage.kwok.x-k8s.io": "true"} if label else {},
            },
            "spec": {
                "nodeName": name,
                "containers": [container],
                "initContainers": [{**container, "name": "i"}],
            },
        }

    pods = [
        pod("default"),
        pod("soon", delay="1s"),
        pod("failing", label="pod-container-running-failed"),
        pod("not-starting", label="pod-init-container-running-failed"),
    ]
    wanted = {"default": "Running", "soon": "Succeeded", "failing": "Failed", "not-starting": "Failed"}

    async def run(client: Client) -> dict[str, str]:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
        await client.create(NODES, {**node, "status": {"capacity": {"pods": "9"}, "allocatable": {"pods": "9"}}})
        await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        try:
            for body in pods:
                await client.create(PODS, body, namespace=name)
            seen: dict[str, str] = {}
            deadline = time.monotonic() + 25
            while seen != wanted and time.monotonic() < deadline:
                await asyncio.sleep(0.1)
                items = await client.list(PODS, namespace=name)
                seen = {item["metadata"]["name"]: item["status"]["phase"] for item in items}
            return seen
        finally:
            await client.delete(NODES, name)
            await client.delete(NAMESPACES, name)

    assert control_plane.ask(run) == wanted
    stages = {stage["metadata"]["name"]: stage for stage in control_plane.ask(lambda client: client.list(STAGES))}
    assert stages.keys() == STAGE_NAMES
    assert stages["pod-complete"]["spec"]["delay"]["durationMilliseconds"] == 30000


def test_two_clusters_side_by_side(own: LocalCluster) -> None:
    other = LocalCluster(root=own.root, name="other")
    try:
        own.up()
        first = own.pids()
        other.up()
        assert yaml.safe_load(own.kubeconfig.read_text())["current-context"] == other.context
        assert own.pids() == first
        for cluster in (own, other):
            assert {row["state"] for row in cluster.status().values()} == {"healthy"}
        uids = {
            cluster.name: cluster.ask(lambda client: client.get(NAMESPACES, "kube-system"))["metadata"]["uid"]
            for cluster in (own, other)
        }
        assert len(set(uids.values())) == 2

        other.down()
        config = yaml.safe_load(own.kubeconfig.read_text())
        assert config["current-context"] == own.context
        assert [entry["name"] for entry in config["users"]] == [own.context]
        assert {row["state"] for row in own.status().values()} == {"healthy"}
        assert own.pids() == first
        done = other.down()
        assert "there is own" in done.stdout + done.stderr
    finally:
        other.down()


def test_the_path_may_hold_spaces_and_more(tmp_path: Path) -> None:
    root = tmp_path / "it's a user's \N{LATIN SMALL LETTER U WITH DIAERESIS}nusual #1 %s {home}"
    root.mkdir()
    cluster = LocalCluster(root=root, name="a-1")
    try:
        cluster.up(prometheus=True)
        assert {row["state"] for row in cluster.status().values()} == {"healthy"}
        assert _targets(cluster) == dict.fromkeys(ALL, "up")
        os.kill(cluster.pids()["kube-scheduler"], signal.SIGKILL)
        cluster.up(prometheus=True)
        assert {row["state"] for row in cluster.status().values()} == {"healthy"}
    finally:
        cluster.down()
    assert cluster.processes() == {}
    # Nothing was written to a place that is named like the beginning of the path.
    assert [entry.name for entry in tmp_path.iterdir() if entry.name not in ("user", "work")] == [root.name]
    assert {entry.name for entry in root.iterdir() if entry.name != ".kube"} == {"kubeconfig", "data"}
    assert {entry.name for entry in cluster.files.work.iterdir()} == {"clusters", "locks"}
    assert not list((cluster.files.work / "clusters").iterdir())


@pytest.mark.parametrize("name", ["a,b", "a:b", 'a"b', "a\\b", "a*b", "a[b]", "a\nb"], ids=repr)
def test_paths_that_cannot_work_are_refused(tmp_path: Path, name: str) -> None:
    cluster = LocalCluster(root=tmp_path / name)
    done = cluster.up(check=2)
    assert "cannot hold a cluster" in done.stderr
    assert "XDG_DATA_HOME" in done.stderr
    assert not cluster.root.exists()


def test_a_dry_run_prints_the_plan_and_changes_nothing(own: LocalCluster) -> None:
    kubeconfigs.write(own.kubeconfig, "https://127.0.0.1:1")
    before = own.kubeconfig.read_bytes()
    done = own.up("--dry-run", "--feature-gates", "AllAlpha=true", prometheus=True)
    lines = done.stdout.splitlines()
    assert lines[0] == f"create cluster own in {own.files.directory}"
    for name in ALL:
        assert any(re.match(rf"start {name} v?\d+\.\d+\.\d+ on 127\.0\.0\.1$", line) for line in lines), lines
    assert "set feature gates AllAlpha=true" in lines
    assert lines[-1] == f"add context knavtool-own to {own.kubeconfig} and make it current"
    assert own.kubeconfig.read_bytes() == before
    _nothing_started(own)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_a_port_that_is_taken_is_told_before_anything_starts(own: LocalCluster, taken: int) -> None:
    done = own.up("--port", str(taken), check=4)
    name = Path("/proc/self/comm").read_text().strip()
    assert f"error: port {taken} for the API server is taken by {name} (process {os.getpid()})" in done.stderr
    _nothing_started(own)


def test_the_port_can_be_chosen(own: LocalCluster) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own.up("--port", str(port))
    assert own.status()["kube-apiserver"]["endpoint"] == f"https://127.0.0.1:{port}"


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "../a", "a/b", "a" * 41, "a b", "a\n", "ä"], ids=repr)
def test_bad_names_are_refused(own: LocalCluster, name: str) -> None:
    done = own.up("--name", name, check=2)
    assert "a cluster's name is made of a-z, 0-9 and '-'" in done.stderr
    _nothing_started(own)


@pytest.mark.parametrize("command", [["down"], ["status"], ["logs", "etcd"]], ids=" ".join)
def test_every_command_refuses_bad_names(own: LocalCluster, command: list[str]) -> None:
    done = own.cli("cluster", *command, "--name", "../a", check=2)
    assert "a cluster's name is made of a-z, 0-9 and '-'" in done.stderr


@pytest.mark.parametrize(
    "options",
    [["--port", "0"], ["--port", "65536"], ["--port", "x"], ["--timeout", "soon"], ["--engine", "none"]],
    ids=" ".join,
)
def test_bad_options_are_refused(own: LocalCluster, options: list[str]) -> None:
    done = own.up(*options, check=2)
    assert options[0] in done.stderr or options[1] in done.stderr
    _nothing_started(own)


@pytest.mark.parametrize(
    "content",
    ["{", "- a list\n", "a text", "clusters: 1\n", "contexts: [1]\n", "contexts: [{context: {}}]\n", "\x00", "a: *b\n"],
)
def test_a_broken_kubeconfig_is_told_before_anything_starts(own: LocalCluster, content: str) -> None:
    own.kubeconfig.write_text(content)
    done = own.up(check=2)
    assert str(own.kubeconfig) in done.stderr
    assert own.kubeconfig.read_text() == content
    _nothing_started(own)
    own.kubeconfig.unlink()


def _nothing_started(cluster: LocalCluster) -> None:
    assert cluster.processes() == {}
    assert not cluster.files.directory.exists()


def test_commands_without_a_cluster_say_how_to_get_one(knavtool: Callable[..., CompletedProcess[str]]) -> None:
    done = knavtool("nodes", "list", check=2)
    assert "`knavtool cluster up`" in done.stderr
