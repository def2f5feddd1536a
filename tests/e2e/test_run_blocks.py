"""Variables, loops, branches and placement on a real control plane."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.run_cluster import RunCluster
from support.workflows import register, submit, task, write

pytestmark = pytest.mark.cluster


def tasks_of(report: Path) -> list[tuple[str, str]]:
    """(task, result) of a JSON report, in the order in which they began."""
    found: list[tuple[str, str]] = []

    def walk(step: dict[str, Any]) -> None:
        if step["kind"] == "task":
            found.append((step["name"], step["result"]))
        for inner in step.get("steps", ()):
            walk(inner)

    walk(json.loads(report.read_text())["run"])
    return found


def test_variables_loops_and_branches(run_cluster: RunCluster, tmp_path: Path) -> None:
    each = {**run_cluster.submit(pods="${pods}", gpu=0, run="${run}"), "foreach": {"pods": "${sizes}"}}
    running = task("CheckPod", "running", refTaskId="job", status="Running", timeout="20s")
    ended = task("CheckPod", "ended", refTaskId="job", status="Succeeded", timeout="60s")
    inner = run_cluster.submit(gpu=0, run="1s", id_="inner")
    rounds = task("Repeat", "rounds", count=2, tasks=[inner, task("DeleteObj", "gone", refTaskId="inner", wait=True)])
    workflow = run_cluster.write(
        each, running, task("Parallel", "both", tasks=[ended, rounds]), variables={"sizes": [1, 2], "run": "1h"}
    )
    run_cluster.run("run", workflow, "--set", "run=2s", "--cleanup", "--json", tmp_path / "r.json")
    found = tasks_of(tmp_path / "r.json")
    assert {result for _, result in found} == {"ok"}
    assert sorted(name for name, _ in found) == sorted(
        ["configure", "register", "job", "job", "running", "ended", "inner", "gone", "inner", "gone"]
    )
    report = json.loads((tmp_path / "r.json").read_text())
    assert "3 of 3 pods are Running" in json.dumps(report)
    assert run_cluster.left() == {}


def test_a_setting_must_be_a_variable(run_cluster: RunCluster) -> None:
    workflow = run_cluster.write(run_cluster.submit(), variables={"size": 1})
    done = run_cluster.run("run", workflow, "--set", "sise=2", check=2)
    assert "error: --set sise: no such variable; did you mean 'size'?" in done.stderr


def test_a_task_takes_too_long_and_may(run_cluster: RunCluster, tmp_path: Path) -> None:
    slow = {**task("Sleep", "slow", timeout="1h"), "timeout": "100ms", "continueOnError": True}
    workflow = run_cluster.write(slow, run_cluster.submit(gpu=0))
    run_cluster.run("run", workflow, "--cleanup", "--json", tmp_path / "r.json", check=1)
    assert tasks_of(tmp_path / "r.json")[2:] == [("slow", "failed"), ("job", "ok")]
    assert run_cluster.left() == {}


def test_where_pods_are(run_cluster: RunCluster, tmp_path: Path) -> None:
    nodes = [f"virtual-dgxa100.80g-{number}" for number in range(2)]

    def place(id_: str, **params: Any) -> dict[str, Any]:
        return task("CheckPlacement", id_, refTaskId="job", timeout="20s", **params)

    workflow = run_cluster.write(
        run_cluster.submit(pods=2),
        place("whole", allOrNothing=True, within="5s"),
        place("these", nodes=nodes),
        place("domain", topologyKey="nvidia.com/gpu.count"),
        {**place("other", nodes=nodes[:1]), "continueOnError": True},
        {**place("scattered", topologyKey="kubernetes.io/hostname"), "continueOnError": True},
        run_cluster.submit(id_="more", pods=3),
        task("CheckPlacement", "waiting", refTaskId="more", waiting="1s"),
        {**task("CheckPlacement", "never", refTaskId="more", allOrNothing=True, timeout="1s")},
    )
    done = run_cluster.run("run", workflow, "--cleanup", "--json", tmp_path / "r.json", check=1)
    assert tasks_of(tmp_path / "r.json")[3:] == [
        *[("whole", "ok"), ("these", "ok"), ("domain", "ok"), ("other", "failed"), ("scattered", "failed")],
        *[("more", "ok"), ("waiting", "ok"), ("never", "failed")],
    ]
    assert f"nodes: expected {nodes[0]}, actual {nodes[0]}, {nodes[1]}" in done.stderr
    assert "expected one domain of kubernetes.io/hostname, actual 2" in done.stderr
    assert "0 of 3 pods have a node" in done.stderr
    assert "Unschedulable: 0/2 nodes are available: 2 Insufficient nvidia.com/gpu" in done.stderr
    assert run_cluster.left() == {}


def test_a_file_that_knavigator_takes(run_cluster: RunCluster, tmp_path: Path) -> None:
    """What it ignores without a word are errors here, and warnings with --compat."""
    template = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{._NAME_}}
  namespace: {{.namespace}}
data:
  given: "{{.given}}"
"""
    register_ = register(nameFormat="c{{._ENUM_}}", podNameFormat=None, podCount=None)
    given = submit(params={"namespace": run_cluster.namespace}, note="nobody reads this")
    namespaces = [{"name": run_cluster.namespace, "op": "create"}]
    configure = task("Configure", timeout="10s", namespaces=namespaces)
    workflow = write(tmp_path, configure, register_, given, template=template, extra=1)
    done = run_cluster.run("run", workflow, check=2)
    faults = [line.split(": ", 1)[1] for line in done.stderr.splitlines() if ".yml:" in line]
    assert len(faults) == 3, done.stderr
    done = run_cluster.run("run", workflow, "--compat", "--cleanup")
    for word in ("unknown field 'extra'", "unknown field 'note'", "{{.given}}"):
        assert any(word in line and "warning" in line for line in done.stderr.splitlines()), word
    data = yaml.safe_load(run_cluster.run("run", workflow, "--compat", "--dry-run").stdout.partition("---")[2])
    assert data["data"] == {"given": "<no value>"}
