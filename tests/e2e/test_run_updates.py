"""Tasks that change or compare what is there, and their cleanup, on a real control plane."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from knavtool.kube.resource import CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, JOBS, NAMESPACES, NODES, Resource
from support.cli import run_cli
from support.control_plane import LocalCluster
from support.programs import program
from support.workflows import register, submit, task, write

pytestmark = pytest.mark.cluster

NONE: dict[str, Any] = {"nameFormat": None, "podNameFormat": None, "podCount": None}
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: "{{._NAME_}}", namespace: "{{.namespace}}"}
spec:
  suspend: true
  template:
    spec: {restartPolicy: Never, containers: [{name: c, image: none}]}
"""


class Cluster:
    """A control plane, a namespace of its own in it, and the command line."""

    def __init__(self, plane: LocalCluster, directory: Path) -> None:
        self.plane = plane
        self.ask = plane.ask
        self.directory = directory
        self.namespace = f"updates-{uuid.uuid4().hex[:8]}"
        self.environment: Mapping[str, str] = {
            "KNAVTOOL_HELM_BINARY": str(program("helm")),
            "KNAVTOOL_KUBECONFIG": str(plane.kubeconfig),
            "KNAVTOOL_CONTEXT": plane.context,
            "XDG_DATA_HOME": plane.environment["XDG_DATA_HOME"],
        }

    def run(self, *tasks: dict[str, Any], check: int = 0, options: tuple[str, ...] = ("--cleanup",)) -> tuple[str, Any]:
        """Run tasks; returns what was said and the report's tasks by id."""
        report = self.directory / "report.json"
        done = run_cli("run", self.write(*tasks), "--json", report, *options, env=self.environment, check=check)
        return done.stderr, {one["name"]: one for one in _tasks(json.loads(report.read_text())["run"])}

    def write(self, *tasks: dict[str, Any]) -> Path:
        return write(self.directory, *tasks, template=JOB)

    def make(self, resource: Resource, name: str, **body: Any) -> None:
        """Make an object before the run does."""
        metadata = {"name": name, **body.pop("metadata", {})}
        manifest = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **body}
        self.ask(lambda client: client.create(resource, manifest, namespace=self._place(resource)))

    def get(self, resource: Resource, name: str) -> dict[str, Any]:
        return self.ask(lambda client: client.get(resource, name, namespace=self._place(resource)))

    def _place(self, resource: Resource) -> str | None:
        return self.namespace if resource.namespaced else None

    def nodes(self) -> dict[str, dict[str, Any]]:
        """All nodes by name."""
        found = self.ask(lambda client: client.list(NODES))
        return {node["metadata"]["name"]: node for node in found}


def _tasks(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if record["kind"] == "task":
        yield record
    for inner in record.get("steps", ()):
        yield from _tasks(inner)


@pytest.fixture
def cluster(control_plane: LocalCluster, tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(control_plane, tmp_path)
    made.make(NAMESPACES, made.namespace)
    yield made
    run_cli("nodes", "delete", "--all", env=made.environment)
    made.ask(lambda client: client.delete(NAMESPACES, made.namespace))


def jobs(cluster: Cluster, count: int) -> list[dict[str, Any]]:
    params = {"namespace": cluster.namespace}
    formats = {"podNameFormat": None, "podCount": None}
    return [register(**formats), submit(count=count, canExist=True, params=params)]


def test_objects_are_changed_and_those_of_others_given_back(cluster: Cluster) -> None:
    spec = {
        "suspend": True,
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}},
    }
    cluster.make(JOBS, "job1", metadata={"labels": {"a": "1", "b": "2"}}, spec=spec)
    before = cluster.get(JOBS, "job1")
    state = {
        "metadata": {"labels": {"a": "9", "b": None}, "annotations": {"x": "y"}},
        "spec": {"backoffLimit": 3},
        "status": {"ready": 0, "terminating": 0},
    }
    said, report = cluster.run(
        *jobs(cluster, 20),
        task("UpdateObj", "update", refTaskId="job", state=state),
        task("CheckObj", "check", refTaskId="job", state=state),
    )
    assert report["update"]["message"] == "20 Jobs changed"
    assert report["check"]["message"] == "20 of 20 objects match"
    assert f"Job {cluster.namespace}/job1 is as before" in said
    (left,) = cluster.ask(lambda client: client.list(JOBS, namespace=cluster.namespace))
    assert left["metadata"]["labels"] == {"a": "1", "b": "2"}
    assert "x" not in left["metadata"].get("annotations", {})
    assert left["spec"] == before["spec"]
    assert "terminating" not in left["status"] or left["status"]["terminating"] == before["status"].get("terminating")


def test_status_and_other_fields_of_kinds_of_ones_own(cluster: Cluster) -> None:
    kind = f"K{cluster.namespace.partition('-')[2]}"
    plural = f"{kind.lower()}s"
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        "subresources": {"status": {}},
    }
    names = {"plural": plural, "kind": kind}
    definition = {"group": "example.com", "scope": "Cluster", "names": names, "versions": [version]}
    (cluster.directory / "crd.yml").write_text(
        yaml.safe_dump(
            {
                "apiVersion": CUSTOM_RESOURCE_DEFINITIONS.api_version,
                "kind": "CustomResourceDefinition",
                "metadata": {"name": f"{plural}.example.com"},
                "spec": definition,
            }
        )
    )
    (cluster.directory / "own.yml").write_text(
        f"{{apiVersion: example.com/v1, kind: {kind}, metadata: {{name: own}}, top: {{a: 1, b: 2}}}}"
    )
    _, report = cluster.run(
        register("kinds", template="crd.yml", **NONE),
        register("objects", template="own.yml", **NONE),
        submit("kind", refTaskId="kinds", params={}),
        submit("own", refTaskId="objects", params={}),
        task("UpdateObj", "update", refTaskId="own", state={"top": {"a": None, "c": 3}, "status": {"phase": "Done"}}),
        task(
            "CheckObj",
            "check",
            refTaskId="own",
            state={"top": {"a": None, "b": 2, "c": 3}, "status": {"phase": "Done"}},
        ),
    )
    assert report["check"]["result"] == "ok"


def test_a_kind_without_a_status(cluster: Cluster) -> None:
    (cluster.directory / "map.yml").write_text(
        f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c, namespace: {cluster.namespace}}}, data: {{a: x}}}}"
    )
    said, report = cluster.run(
        register("maps", template="map.yml", **NONE),
        submit("map", refTaskId="maps", params={}),
        task("UpdateObj", "update", refTaskId="map", state={"data": {"a": "y"}, "status": {"x": 1}}),
        task("CheckObj", "check", refTaskId="map", state={"data": {"a": "x"}}),
        check=5,
        options=(),
    )
    assert "error: v1 ConfigMap has no status that can be written; nothing was changed" in said
    assert report["check"]["result"] == "skipped"
    assert cluster.get(CONFIG_MAPS, "c")["data"] == {"a": "x"}


def test_nodes_are_changed_and_given_back(cluster: Cluster) -> None:
    configure = task(
        "Configure",
        timeout="60s",
        nodes=[{"type": "dgxa100.80g", "count": 2, "labels": {"rack": n}} for n in ("a", "b")],
    )
    cluster.run(configure, options=())
    before = cluster.nodes()
    lost = {"type": "GpuLost", "status": "True", "reason": "Test", "message": ""}
    state = {
        "metadata": {"labels": {"rack": "c", "spare": "yes"}},
        "spec": {"unschedulable": True},
        "status": {"capacity": {"nvidia.com/gpu": "4"}, "allocatable": {"nvidia.com/gpu": "4"}, "conditions": [lost]},
    }
    update = task("UpdateNodes", "update", selectors=[{"rack": "b"}, {"rack": "b", "type": "kwok"}], state=state)
    said, report = cluster.run(update, task("Sleep", timeout="1ms"), options=())
    assert report["update"]["message"] == "2 Nodes changed"
    changed = [node for node in cluster.nodes().values() if node["metadata"]["labels"]["rack"] == "c"]
    assert [node["status"]["allocatable"]["nvidia.com/gpu"] for node in changed] == ["4", "4"]
    assert all({"GpuLost", "Ready"} <= {one["type"] for one in node["status"]["conditions"]} for node in changed)
    assert [node["spec"]["unschedulable"] for node in changed] == [True, True]
    # What this second run does is taken back to what the first one left.
    again = {**state, "metadata": {"labels": {"rack": None}}, "spec": {"unschedulable": None}}
    again["status"] = {"capacity": {"nvidia.com/gpu": "2"}, "conditions": [{**lost, "status": "False"}]}
    said, report = cluster.run(task("UpdateNodes", "update", selectors=[{"rack": "c"}, {"rack": "a"}], state=again))
    assert report["update"]["message"] == "4 Nodes changed"
    assert "4 Nodes are as before" in said
    after = cluster.nodes()
    for name, node in after.items():
        wanted = next((one for one in changed if one["metadata"]["name"] == name), before[name])
        assert node["metadata"]["labels"] == wanted["metadata"]["labels"]
        assert node["spec"].get("unschedulable") == wanted["spec"].get("unschedulable")
        assert node["status"]["capacity"] == wanted["status"]["capacity"]
        assert _conditions(node) == _conditions(wanted)


def _conditions(node: dict[str, Any]) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in node["status"]["conditions"]}


def test_nodes_that_do_not_match_and_nodes_of_others(cluster: Cluster) -> None:
    name = f"real-{cluster.namespace}"
    cluster.make(NODES, name, metadata={"labels": {"rack": "b"}})
    try:
        update = task("UpdateNodes", "update", selectors=[{"rack": "b"}], state={"spec": {"unschedulable": True}})
        said, _ = cluster.run(update, check=5)
        assert "error: there are no nodes that this tool made" in said
        assert "try: allowRealNodes: true chooses among the nodes of others too, 1 of them" in said
        update["params"]["allowRealNodes"] = True
        cluster.run(update, options=())
        assert cluster.nodes()[name]["spec"]["unschedulable"] is True
    finally:
        cluster.ask(lambda client: client.delete(NODES, name))


def test_a_config_map_is_compared(cluster: Cluster) -> None:
    cluster.make(CONFIG_MAPS, "c", data={"a": "1", "b": "2"})

    def check(id_: str, op: str, data: dict[str, str], **more: Any) -> dict[str, Any]:
        place = {"name": "c", "namespace": cluster.namespace}
        return task("CheckConfigmap", id_, **place, op=op, data=data, **more)

    cluster.run(check("part", "subset", {"a": "1"}), check("all", "equal", {"a": "1", "b": "2"}, timeout="5s"))
    said, report = cluster.run(check("all", "equal", {"a": "2"}), check=1)
    assert 'data.a: expected "2", actual "1"' in said
    assert report["all"]["data"]["mismatches"][1] == {"path": "data.b", "expected": "absent", "actual": '"2"'}
    later = {"name": "c", "namespace": cluster.namespace, "op": "create", "data": {"a": "3"}}
    both = [
        [check("wait", "equal", {"a": "3"}, timeout="30s")],
        [task("Configure", timeout="20s", configmaps=[later])],
    ]
    branches = [task("Repeat", f"branch{n}", count=1, tasks=tasks) for n, tasks in enumerate(both)]
    _, report = cluster.run(task("Parallel", "both", tasks=branches))
    assert report["wait"]["result"] == "ok"
    assert cluster.get(CONFIG_MAPS, "c")["data"] == {"a": "1", "b": "2"}
