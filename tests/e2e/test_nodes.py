"""`knavtool nodes` on a real control plane, as a user calls it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from operator import methodcaller
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, TypeVar

import pytest
import yaml

from knavtool import resources
from knavtool.kube.client import Client
from knavtool.kube.resource import DEVICE_CLASSES, LEASES, NODES, RESOURCE_SLICES, SECRETS, Manifest
from knavtool.nodes.readiness import is_ready
from support.cli import SCRIPT
from support.control_plane import LocalCluster
from support.programs import program

pytestmark = pytest.mark.cluster

T = TypeVar("T")
CHART = resources.chart("virtual-nodes")
EXAMPLE = CHART / "values-example.yaml"
EXAMPLE_NODES = [f"virtual-{kind}-{number}" for kind in ("cpu.x86", "dgxa100.80g", "dgxh100.80g") for number in (0, 1)]
RELEASE_NODE = "meta.helm.sh/release-name"


class Nodes:
    """The nodes of a control plane, and the command line for them."""

    def __init__(self, plane: LocalCluster, directory: Path) -> None:
        self.plane = plane
        self._directory = directory
        self._foreign: list[str] = []

    def cli(self, *args: str | Path, **more: Any) -> CompletedProcess[str]:
        return self.plane.cli("nodes", *args, **more)

    def apply(self, values: Path, *options: str, **more: Any) -> CompletedProcess[str]:
        return self.cli("apply", "-f", values, *options, **more)

    def helm(self, *args: str | Path, check: bool = True) -> str:
        """Plain Helm, for the same cluster."""
        command = [program("helm"), *args, "--kubeconfig", self.plane.kubeconfig]
        environment = {**os.environ, **self.plane.environment}
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def write(self, *entries: dict[str, Any], name: str = "values.yaml") -> Path:
        """A values file with these entries."""
        path = self._directory / name
        path.write_text(yaml.safe_dump({"nodes": list(entries)}))
        return path

    def ask(self, question: Callable[[Client], Awaitable[T]]) -> T:
        return self.plane.ask(question)

    def found(self) -> dict[str, Manifest]:
        """All nodes by name."""
        return {node["metadata"]["name"]: node for node in self.ask(lambda client: client.list(NODES))}

    def versions(self) -> dict[str, str]:
        """The resource version of each node, once no controller changes nodes any more."""
        deadline = time.monotonic() + 30
        before: dict[str, str] = {}
        while True:
            now = {name: node["metadata"]["resourceVersion"] for name, node in self.found().items()}
            if now == before:
                return now
            assert time.monotonic() < deadline, "nodes change all the time"
            before = now
            time.sleep(0.5)

    def create_foreign(self, name: str, **labels: str) -> None:
        """A node that somebody else made."""
        body = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
        self.ask(lambda client: client.create(NODES, body))
        self._foreign.append(name)

    def clean(self) -> None:
        self.cli("delete", "--all")
        self.helm("uninstall", "virtual-nodes", "--ignore-not-found")

        async def delete(client: Client) -> None:
            for name in self._foreign:
                await client.delete(NODES, name)

        self.ask(delete)


@pytest.fixture
def nodes(control_plane: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    monkeypatch.setenv("KNAVTOOL_HELM_BINARY", str(program("helm")))
    made = Nodes(control_plane, tmp_path)
    yield made
    made.clean()
    assert made.found() == {}


def entry(kind: str = "small", count: int = 2, **more: Any) -> dict[str, Any]:
    """A group of nodes of our own type."""
    return {"type": kind, "count": count, "resources": {"cpu": 4, "memory": "8Gi", "pods": 110}, **more}


def test_apply_makes_the_nodes_of_the_example(nodes: Nodes) -> None:
    done = nodes.apply(EXAMPLE)
    assert done.stdout == "6 created, 0 changed, 0 unchanged, 0 removed\n"
    found = nodes.found()
    assert sorted(found) == EXAMPLE_NODES
    assert all(is_ready(node) for node in found.values())
    gpu = found["virtual-dgxa100.80g-1"]
    assert gpu["metadata"]["labels"]["kubernetes.io/hostname"] == "virtual-dgxa100.80g-1"
    assert gpu["metadata"]["labels"]["nvidia.com/gpu.product"] == "NVIDIA-A100-SXM4-80GB"
    assert gpu["status"]["allocatable"]["nvidia.com/gpu"] == "8"
    assert gpu["status"]["capacity"] == gpu["status"]["allocatable"]
    conditions = {one["type"]: one["status"] for one in gpu["status"]["conditions"]}
    assert conditions["ReadonlyFilesystem"] == "False"
    assert conditions["Ready"] == "True"
    assert found["virtual-cpu.x86-0"]["status"]["allocatable"]["cpu"] == "48"

    rows = json.loads(nodes.cli("list", "-o", "json").stdout)
    assert [row["name"] for row in rows] == EXAMPLE_NODES
    assert {row["ready"] for row in rows} == {True}
    assert [row["gpus"] for row in rows] == ["0", "0", "8", "8", "8", "8"]
    assert yaml.safe_load(nodes.cli("list", "-o", "yaml").stdout) == rows
    table = nodes.cli("list").stdout.splitlines()
    assert table[0].split() == ["NAME", "READY", "CORDONED", "CPU", "MEMORY", "GPUS", "CREATED"]
    assert len(table) == 7


def test_a_second_apply_writes_nothing(nodes: Nodes) -> None:
    nodes.apply(EXAMPLE)
    before = nodes.versions()
    assert nodes.apply(EXAMPLE).stdout == "0 created, 0 changed, 6 unchanged, 0 removed\n"
    assert nodes.apply(EXAMPLE, "--dry-run").stdout == "nothing to do: 6 nodes are as wanted\n"
    assert nodes.versions() == before


def test_a_dry_run_prints_the_difference_and_changes_nothing(nodes: Nodes) -> None:
    done = nodes.apply(EXAMPLE, "--dry-run")
    assert len([line for line in done.stdout.splitlines() if line.startswith("+ ")]) == 3
    assert nodes.found() == {}
    nodes.apply(nodes.write(entry(count=3, labels={"rack": "r1"})))
    before = nodes.versions()
    done = nodes.apply(nodes.write(entry(count=1, labels={"rack": "r2"}), entry("other", 1)), "--dry-run")
    assert done.stdout.splitlines() == [
        "+ virtual-other-0",
        "~ virtual-small-0",
        "    labels.rack: 'r1' -> 'r2'",
        "- virtual-small-1 … virtual-small-2 (2 nodes)",
    ]
    assert nodes.versions() == before


def test_what_the_file_drops_goes_and_what_others_added_stays(nodes: Nodes) -> None:
    nodes.apply(nodes.write(entry(count=3, labels={"rack": "r1", "row": "a"}, annotations={"note": "x"})))
    name = "virtual-small-0"
    others = {"metadata": {"labels": {"theirs": "1"}, "annotations": {"theirs": "2"}}}
    nodes.ask(lambda client: client.patch(NODES, name, others))
    taint = {"spec": {"taints": [{"key": "theirs", "effect": "NoSchedule"}]}}
    nodes.ask(lambda client: client.patch(NODES, name, taint))

    ours = {"key": "ours", "value": "1", "effect": "NoSchedule"}
    done = nodes.apply(nodes.write(entry(count=2, labels={"rack": "r2"}, taints=[ours])))
    assert done.stdout == "0 created, 2 changed, 0 unchanged, 1 removed\n"
    found = nodes.found()
    assert sorted(found) == ["virtual-small-0", "virtual-small-1"]
    metadata = found[name]["metadata"]
    assert metadata["labels"]["rack"] == "r2"
    assert "row" not in metadata["labels"]
    assert "note" not in metadata["annotations"]
    assert (metadata["labels"]["theirs"], metadata["annotations"]["theirs"]) == ("1", "2")
    assert {one["key"] for one in found[name]["spec"]["taints"]} == {"ours", "theirs"}

    nodes.apply(nodes.write(entry(count=2, labels={"rack": "r2"})))
    assert {one["key"] for one in nodes.found()[name]["spec"]["taints"]} == {"theirs"}


def test_no_prune_keeps_nodes_that_are_not_listed(nodes: Nodes) -> None:
    nodes.apply(nodes.write(entry(count=2)))
    done = nodes.apply(nodes.write(entry("other", 1)), "--no-prune")
    assert done.stdout == "1 created, 0 changed, 0 unchanged, 0 removed\n"
    assert len(nodes.found()) == 3


def test_changed_resources_and_conditions_reach_the_status(nodes: Nodes) -> None:
    healthy = {"type": "Healthy", "status": "True", "reason": "Test", "message": "m"}
    nodes.apply(nodes.write(entry(conditions=[healthy])))
    changed = entry(conditions=[{**healthy, "status": "False"}])
    changed["resources"] = {"cpu": 8, "memory": "8Gi", "pods": 110, "example.com/fpga": 2}
    assert nodes.apply(nodes.write(changed)).stdout == "0 created, 2 changed, 0 unchanged, 0 removed\n"
    for node in nodes.found().values():
        expected = {"cpu": "8", "memory": "8Gi", "pods": "110", "example.com/fpga": "2"}
        assert node["status"]["allocatable"] == expected
        assert node["status"]["capacity"] == expected
        conditions = {one["type"]: one["status"] for one in node["status"]["conditions"]}
        assert (conditions["Healthy"], conditions["Ready"]) == ("False", "True")
    del changed["conditions"], changed["resources"]["example.com/fpga"]
    nodes.apply(nodes.write(changed))
    for node in nodes.found().values():
        assert "example.com/fpga" not in node["status"]["allocatable"]
        assert "Healthy" not in {one["type"] for one in node["status"]["conditions"]}
        assert is_ready(node)


def test_a_node_that_somebody_deleted_comes_back(nodes: Nodes) -> None:
    values = nodes.write(entry(count=3))
    nodes.apply(values)
    nodes.ask(lambda client: client.delete(NODES, "virtual-small-1"))
    assert nodes.apply(values).stdout == "1 created, 0 changed, 2 unchanged, 0 removed\n"
    assert is_ready(nodes.found()["virtual-small-1"])


def test_delete_takes_only_what_is_ours(nodes: Nodes) -> None:
    nodes.create_foreign("foreign", type="kwok")
    nodes.create_foreign("virtual-other-0")
    nodes.apply(nodes.write(entry(count=2), entry("second", 1)))
    listed = nodes.write(entry(count=5), entry("other", 1), name="listed.yaml")
    assert nodes.cli("delete", "-f", listed).stdout == "2 deleted\n"
    assert sorted(nodes.found()) == ["foreign", "virtual-other-0", "virtual-second-0"]
    assert nodes.cli("delete", "--all").stdout == "1 deleted\n"
    assert sorted(nodes.found()) == ["foreign", "virtual-other-0"]
    assert nodes.cli("delete", "--all").stdout == "0 deleted\n"
    assert json.loads(nodes.cli("list", "-o", "json").stdout) == []
    nodes.cli("delete", check=2)
    nodes.cli("delete", "--all", "-f", listed, check=2)


@pytest.mark.parametrize("labels", [{}, {"type": "kwok"}], ids=["unlabelled", "labelled"])
def test_a_node_of_somebody_else_stops_an_apply(nodes: Nodes, labels: dict[str, str]) -> None:
    nodes.create_foreign("virtual-small-1", **labels)
    done = nodes.apply(nodes.write(entry(count=2)), check=5)
    assert "virtual-small-1" in done.stderr
    assert "labels" not in done.stderr
    found = nodes.found()["virtual-small-1"]["metadata"]
    assert "app.kubernetes.io/managed-by" not in found.get("labels", {})


def test_a_release_is_installed_once(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    astray = {"HELM_KUBECONTEXT": "nowhere", "HELM_KUBEAPISERVER": "http://127.0.0.1:9", "HELM_DRIVER": "configmap"}
    with monkeypatch.context() as patch:
        for name, value in astray.items():
            patch.setenv(name, value)
        done = nodes.apply(EXAMPLE, "--helm")
    assert done.stdout == "6 created, 0 changed, 0 unchanged, 0 removed\n"
    found = nodes.found()
    assert sorted(found) == EXAMPLE_NODES
    assert all(is_ready(node) for node in found.values())
    assert {node["metadata"]["annotations"][RELEASE_NODE] for node in found.values()} == {"virtual-nodes"}
    assert [release["name"] for release in json.loads(nodes.helm("list", "-o", "json"))] == ["virtual-nodes"]
    before = nodes.versions()
    assert nodes.apply(EXAMPLE, "--helm").stdout == "0 created, 0 changed, 6 unchanged, 0 removed\n"
    assert nodes.versions() == before


def test_a_release_follows_the_file(nodes: Nodes) -> None:
    nodes.apply(nodes.write(entry(count=3)), "--helm")
    changed = entry(count=2)
    changed["resources"]["cpu"] = 16
    nodes.apply(nodes.write(changed), "--helm")
    found = nodes.found()
    assert sorted(found) == ["virtual-small-0", "virtual-small-1"]
    assert {node["status"]["allocatable"]["cpu"] for node in found.values()} == {"16"}


def test_nodes_of_a_release_are_taken_over_only_when_told(nodes: Nodes) -> None:
    values = nodes.write(entry())
    nodes.apply(values, "--helm")
    before = nodes.versions()
    done = nodes.apply(values, check=5)
    assert "belongs to Helm release default/virtual-nodes; nothing was changed" in done.stderr
    assert "--take-ownership" in done.stderr
    assert nodes.versions() == before

    uids = {name: node["metadata"]["uid"] for name, node in nodes.found().items()}
    nodes.apply(values, "--take-ownership")
    found = nodes.found()
    assert {name: node["metadata"]["uid"] for name, node in found.items()} == uids
    for node in found.values():
        assert node["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "knavtool"
        assert RELEASE_NODE not in node["metadata"]["annotations"]
    # Helm does not know them any more, so that it cannot delete them.
    assert json.loads(nodes.helm("list", "-a", "-o", "json")) == []
    records = nodes.ask(lambda client: client.list(SECRETS, namespace="default", label_selector="owner=helm"))
    assert records == []
    assert nodes.apply(values).stdout == "0 created, 0 changed, 2 unchanged, 0 removed\n"


def test_our_nodes_become_a_release_only_when_told(nodes: Nodes) -> None:
    values = nodes.write(entry())
    nodes.apply(values)
    before = nodes.versions()
    done = nodes.apply(values, "--helm", check=5)
    assert "belongs to knavtool; nothing was changed" in done.stderr
    assert "--take-ownership" in done.stderr
    assert nodes.versions() == before
    assert json.loads(nodes.helm("list", "-a", "-o", "json")) == []

    uids = {name: node["metadata"]["uid"] for name, node in nodes.found().items()}
    nodes.apply(values, "--helm", "--take-ownership")
    found = nodes.found()
    assert {name: node["metadata"]["uid"] for name, node in found.items()} == uids
    assert {node["metadata"]["annotations"][RELEASE_NODE] for node in found.values()} == {"virtual-nodes"}
    assert nodes.cli("delete", "--all").stdout == "0 deleted\n"
    assert json.loads(nodes.cli("list", "-o", "json").stdout) == []
    nodes.helm("uninstall", "virtual-nodes")
    assert nodes.found() == {}


def test_the_chart_works_with_plain_helm(nodes: Nodes) -> None:
    command = ["upgrade", "--install", "virtual-nodes", CHART, "-f", EXAMPLE]
    nodes.helm(*command)
    assert sorted(nodes.found()) == EXAMPLE_NODES
    before = nodes.versions()
    assert all(is_ready(node) for node in nodes.found().values())
    nodes.helm(*command)
    assert nodes.versions() == before
    nodes.helm("uninstall", "virtual-nodes")
    assert nodes.found() == {}


@pytest.mark.slow
def test_an_interrupted_apply_is_completed_by_the_next(nodes: Nodes) -> None:
    values = nodes.write(entry(count=1500))

    async def some_made(client: Client) -> int:
        async with asyncio.timeout(60):
            while True:
                async for page in client.pages(NODES, limit=100, metadata_only=True):
                    if len(page) == 100:
                        return len(page)
                    break

    command = [str(SCRIPT), "nodes", "apply", "-f", str(values)]
    environment = {**os.environ, **nodes.plane.environment}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            nodes.ask(some_made)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said
    made = len(nodes.found())
    assert 0 < made < 1500
    done = nodes.apply(values)
    assert done.stdout == f"{1500 - made} created, 0 changed, {made} unchanged, 0 removed\n"
    rows = json.loads(nodes.cli("list", "-o", "json").stdout)
    assert len(rows) == 1500


def test_nodes_that_come_back_wait_for_the_leases_of_those_before(nodes: Nodes) -> None:
    file = nodes.write(entry())
    nodes.cli("apply", "-f", file)
    nodes.ask(_two_owned_leases)
    collector = nodes.plane.pids()["kube-controller-manager"]
    os.kill(collector, signal.SIGSTOP)
    try:
        nodes.cli("delete", "--all")
        with subprocess.Popen(
            [SCRIPT, "nodes", "apply", "-f", file],
            env=os.environ | dict(nodes.plane.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as applying:
            assert applying.stderr is not None
            # It says so before it waits, so there is nothing to be late for.
            told = next(line for line in applying.stderr if "leases of 2 deleted nodes" in line or "write" in line)
            assert "leases of 2 deleted nodes" in told
            assert nodes.found() == {}
            os.kill(collector, signal.SIGCONT)
            out, _ = applying.communicate(timeout=60)
            assert out == "2 created, 0 changed, 0 unchanged, 0 removed\n"
    finally:
        os.kill(collector, signal.SIGCONT)


async def _two_owned_leases(client: Client) -> None:
    """Wait until KWOK has made the leases of two nodes: those with an owner are collected with it."""
    async with asyncio.timeout(60):
        while True:
            leases = await client.list(LEASES, namespace="kube-node-lease")
            if len([lease for lease in leases if lease["metadata"].get("ownerReferences")]) == 2:
                return
            await asyncio.sleep(0.1)


def test_helm_installs_and_changes_devices_and_an_apply_takes_them_over(nodes: Nodes) -> None:
    def slice_of(count: int, *options: str) -> Manifest:
        dra = {"driver": "gpu.example.com", "count": count}
        values = nodes.write({"type": "gb200", "count": 1, "resources": {"dra": dra}})
        nodes.apply(values, *options)
        return nodes.ask(lambda client: client.get(RESOURCE_SLICES, "virtual-gb200-0-gpu.example.com"))

    assert slice_of(2, "--helm")["spec"]["pool"]["generation"] == 1
    changed = slice_of(3, "--helm")
    assert (changed["spec"]["pool"]["generation"], len(changed["spec"]["devices"])) == (2, 3)
    assert "ownerReferences" not in changed["metadata"]
    taken = slice_of(3, "--take-ownership")
    assert taken["metadata"]["ownerReferences"][0]["uid"] == nodes.found()["virtual-gb200-0"]["metadata"]["uid"]
    assert taken["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "knavtool"
    nodes.cli("delete", "--all")
    for kind in (RESOURCE_SLICES, DEVICE_CLASSES):
        assert nodes.ask(methodcaller("list", kind)) == []
