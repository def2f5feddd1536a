"""Objects chosen by kind, scaled Jobs, and groups of pods, on a real control plane."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from knavtool.kube.client import Client
from knavtool.kube.resource import CONFIG_MAPS, PODS
from support.run_cluster import RunCluster
from support.workflows import submit, task, write

pytestmark = pytest.mark.cluster

POD = {"apiVersion": "v1", "kind": "Pod"}
HOST = "kubernetes.io/hostname"
THEIRS = {"apiVersion": "v1", "kind": "ConfigMap", "name": "test-run-selected", "namespace": "default"}


def scaled(number: int) -> dict[str, Any]:
    return {"spec": {"parallelism": number, "completions": number}}


def test_a_job_that_grows_and_shrinks(run_cluster: RunCluster) -> None:
    workflow = run_cluster.write(
        run_cluster.submit(pods=2, gpu=1),
        task("CheckPod", "two", refTaskId="job", status="Running", timeout="30s"),
        task("UpdateObj", "grow", refTaskId="job", state=scaled(4)),
        task("CheckPod", "four", refTaskId="job", status="Running", count="2 * {{.parallelism}}", timeout="30s"),
        task("CheckPlacement", "placed", refTaskId="job", count=4, topologyKey=HOST, domains={"max": 2}),
        task("CheckObj", "owned", **POD, ownedBy="job", state={"status": {"phase": "Running"}}, count=4),
        task("UpdateObj", "shrink", refTaskId="job", state=scaled(1)),
        task("CheckPlacement", "left", refTaskId="job", count=1, topologyKey=HOST, timeout="30s"),
        task("CheckPod", "one", refTaskId="job", status="Running", count={"min": 1, "max": 1}, timeout="30s"),
        task("DeleteObj", "gone", refTaskId="job", wait=True),
        task("CheckObj", "none", **POD, ownedBy="job", count=0, timeout="30s"),
    )
    run_cluster.run("run", workflow, "--cleanup")
    assert run_cluster.left() == {}


def test_the_groups_of_a_job(run_cluster: RunCluster, tmp_path: Path) -> None:
    about = {"refTaskId": "job", "topologyKey": HOST, "timeout": "30s"}
    workflow = run_cluster.write(
        run_cluster.submit(pods=4, gpu=4),
        task("CheckPlacement", "whole", **about, domains=2),
        task("CheckPlacement", "owner", **about, domains=2, groups={"owner": "Job", "count": 1}),
        task("CheckPlacement", "single", **about, groups={"size": 1, "count": 4}),
        task("CheckPlacement", "apart", **about, groups={"size": 1}, distinctDomains=True),
    )
    run_cluster.run("run", workflow, "--cleanup", "--json", tmp_path / "r.json", check=1)
    said = {one["name"]: one.get("message", "") for one in _tasks(json.loads((tmp_path / "r.json").read_text())["run"])}
    assert "in 1 group" in said["owner"]
    assert "in 4 groups" in said["single"]
    assert f"expected different domains of {HOST}" in said["apart"]
    assert run_cluster.left() == {}


GATED = """\
apiVersion: v1
kind: Pod
metadata: {generateName: gated-, namespace: "{{.namespace}}", finalizers: [tests.knavtool.example/bill]}
spec:
  restartPolicy: Never
  schedulingGates: [{name: tests.knavtool.example/quota}, {name: tests.knavtool.example/data}]
  containers: [{name: c, image: none, resources: {limits: {nvidia.com/gpu: 4}}}]
"""


def test_pods_behind_gates(run_cluster: RunCluster, tmp_path: Path) -> None:
    (tmp_path / "gated.yml").write_text(GATED)
    gate = {"spec": {"schedulingGates": [{"name": "tests.knavtool.example/data"}]}}
    workflow = run_cluster.write(
        task("RegisterObj", "gated", template="gated.yml", podNameFormat="gated-.*", podCount=1),
        submit("pods", refTaskId="gated", count=3, params={"namespace": run_cluster.namespace}),
        task("CheckPlacement", "wait", refTaskId="pods", waiting="1s"),
        task("CheckPod", "pending", refTaskId="pods", status="Pending"),
        task("UpdateObj", "half", refTaskId="pods", state=gate),
        task("CheckPod", "not-yet", refTaskId="pods", status="Running", timeout="1s") | {"continueOnError": True},
        task("UpdateObj", "open", refTaskId="pods", state={"spec": {"schedulingGates": None}}),
        task("CheckPod", "run", refTaskId="pods", status="Running", timeout="30s"),
        task("UpdateObj", "free", refTaskId="pods", state={"metadata": {"finalizers": None}}),
    )
    run_cluster.run("run", workflow, "--cleanup", "--json", tmp_path / "r.json", check=1)
    tasks = {each["name"]: each for each in _tasks(json.loads((tmp_path / "r.json").read_text())["run"])}
    assert [name for name, each in tasks.items() if each["result"] != "ok"] == ["not-yet"]
    assert "tests.knavtool.example/data" in tasks["not-yet"]["message"]
    assert "tests.knavtool.example/quota" not in tasks["not-yet"]["message"]
    assert run_cluster.left() == {}


def test_a_finalizer_that_nobody_removes_is_named(run_cluster: RunCluster, tmp_path: Path) -> None:
    (tmp_path / "gated.yml").write_text(GATED)
    workflow = run_cluster.write(
        task("RegisterObj", "gated", template="gated.yml", podNameFormat="gated-.*", podCount=1),
        submit("pods", refTaskId="gated", params={"namespace": run_cluster.namespace}),
    )
    done = run_cluster.run("run", workflow, "--cleanup", "--cleanup-timeout", "3s", check=5)
    assert re.search(r"Pod \S+ is being deleted and waits for tests\.knavtool\.example/bill", done.stderr)

    async def free(client: Client) -> None:
        (pod,) = await client.list(PODS, namespace=run_cluster.namespace)
        name = pod["metadata"]["name"]
        await client.patch(PODS, name, {"metadata": {"finalizers": None}}, namespace=run_cluster.namespace)

    run_cluster.ask(free)


def _tasks(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if record["kind"] == "task":
        yield record
    for inner in record.get("steps", ()):
        yield from _tasks(inner)


def _theirs(run_cluster: RunCluster) -> dict[str, Any]:
    name, namespace = THEIRS["name"], THEIRS["namespace"]
    found = run_cluster.ask(lambda client: client.get(CONFIG_MAPS, name, namespace=namespace))
    return {"data": found.get("data"), "labels": found["metadata"].get("labels")}


@pytest.fixture
def theirs(run_cluster: RunCluster) -> Iterator[dict[str, Any]]:
    """A config map that somebody else made."""
    name, namespace = THEIRS["name"], THEIRS["namespace"]
    body = {"metadata": {"name": name, "labels": {"whose": "theirs"}}, "data": {"k": "1", "other": "x"}}
    run_cluster.ask(lambda client: client.create(CONFIG_MAPS, body, namespace=namespace))
    yield _theirs(run_cluster)
    run_cluster.ask(lambda client: client.delete(CONFIG_MAPS, name, namespace=namespace))


def test_what_others_made_is_given_back(run_cluster: RunCluster, theirs: dict[str, Any]) -> None:
    labels = {"apiVersion": "v1", "kind": "ConfigMap", "labels": {"whose": "theirs"}}
    changed = {"data": {"k": "2"}}
    workflow = run_cluster.write(
        task("UpdateObj", "change", **THEIRS, state=changed, allowOthers=True),
        task("CheckObj", "changed", **labels, state=changed, count=1, timeout="10s"),
        task("DeleteObj", "delete", **labels, allowOthers=True, wait=True),
        task("CheckObj", "gone", **THEIRS, count=0),
    )
    run_cluster.run("run", workflow, "--cleanup")
    assert _theirs(run_cluster) == theirs

    workflow = run_cluster.write(task("DeleteObj", "delete", **THEIRS))
    done = run_cluster.run("run", workflow, "--cleanup", check=5)
    assert "there is no ConfigMap test-run-selected in namespace default that this run or knavtool made" in done.stderr
    assert "allowOthers: true chooses among the objects of others too, 1 of them" in done.stderr
    assert _theirs(run_cluster) == theirs


def test_nodes_that_are_deleted_come_back(run_cluster: RunCluster) -> None:
    chosen = {"apiVersion": "v1", "kind": "Node", "labels": {"rack": "selected"}}
    values = run_cluster.directory / "values.yaml"
    values.write_text("nodes: [{type: dgxa100.80g, count: 2, labels: {rack: selected}}]\n")
    run_cluster.run("nodes", "apply", "-f", values)
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}, "spec": {"unschedulable": None}}
    workflow = write(
        run_cluster.directory,
        task("UpdateObj", "cordon", **chosen, state={"spec": {"unschedulable": True}}),
        task("DeleteObj", "fail", **chosen),
        task("CheckObj", "gone", **chosen, count=0, timeout="30s"),
    )
    run_cluster.run("run", workflow, "--cleanup")
    workflow = write(run_cluster.directory, task("CheckObj", "back", **chosen, state=ready, count=2, timeout="30s"))
    run_cluster.run("run", workflow)
