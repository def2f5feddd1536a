"""What a user learns of Kueue: why it holds something, and whether it looks at it at all."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from knavtool import resources
from support.control_plane import LocalCluster
from support.programs import program
from support.workflows import register, submit, task, write

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("kueue")]

TEMPLATES = resources.data_directory() / "workflows" / "kueue" / "templates"
MULTIKUEUE = resources.data_directory() / "workflows" / "multikueue"
QUEUES = {
    "flavor": {"name": "any"},
    "cluster-queue": {"name": "small", "flavor": "any", "cpu": 8, "memory": "36Gi", "gpu": 8},
    "local-queue": {"name": "team", "namespace": "default", "clusterQueue": "small"},
}
NODES = [{"type": "dgxa100.80g", "count": 2}]


@pytest.fixture(scope="module")
def kueue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    cluster = LocalCluster(root=tmp_path_factory.mktemp("kueue"), name="kueue")
    cluster.up("--with", "kueue")
    yield cluster
    cluster.down()


def workflow(directory: Path, template: str, *tasks: dict[str, object], **params: object) -> Path:
    """Two nodes of eight GPUs, a queue with a quota of eight, one object in the queue, and what follows."""
    first = [task("Configure", "nodes", nodes=NODES, timeout="1m")]
    for name, given in QUEUES.items():
        file = "resource-flavor.yml" if name == "flavor" else f"{name}.yml"
        first.append(task("RegisterObj", f"register-{name}", template=str(TEMPLATES / file)))
        first.append(submit(name, refTaskId=f"register-{name}", canExist=True, params=given))
    chosen = {"namespace": "default", "queue": "team", **params}
    registered = register(template="object.yml", podCount="{{.replicas}}", podNameFormat="{{._NAME_}}-.*")
    path = write(directory, *first, registered, submit("object", params=chosen), *tasks)
    (directory / "object.yml").write_text((TEMPLATES / template).read_text())
    return path


def test_a_job_that_is_held_says_why(kueue: LocalCluster, tmp_path: Path) -> None:
    check = task("CheckPod", "runs", refTaskId="object", status="Running", timeout="3s")
    path = workflow(tmp_path, "job.yml", check, replicas=2, gpu=8, ttl="10m")
    said = kueue.cli("run", path, "--cleanup", "--json", tmp_path / "report.json", check=1)
    assert "Workload default/job-job1-" in said.stderr
    assert "QuotaReserved=False (Pending: couldn't assign flavors to pod set main" in said.stderr
    assert "insufficient" in said.stderr
    assert "nvidia.com/gpu" in said.stderr
    text = json.dumps(json.loads((tmp_path / "report.json").read_text()))
    assert "QuotaReserved" in text


def a_pod() -> str:
    return (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  generateName: {{._NAME_}}-\n  namespace: {{.namespace}}\n"
        "  labels: {kueue.x-k8s.io/queue-name: {{.queue}}}\nspec:\n  restartPolicy: Never\n  containers:\n"
        "  - {name: c, image: none, resources: {limits: {cpu: 1, memory: 1Gi, nvidia.com/gpu: {{.gpu}}}}}\n"
    )


def many(kind: str) -> str:
    return (
        f"apiVersion: apps/v1\nkind: {kind}\n"
        "metadata:\n  name: {{._NAME_}}\n  namespace: {{.namespace}}\n"
        "  labels: {kueue.x-k8s.io/queue-name: {{.queue}}}\n"
        "spec:\n  replicas: 3\n  selector: {matchLabels: {app: {{._NAME_}}}}\n  template:\n"
        "    metadata: {labels: {app: {{._NAME_}}}}\n    spec:\n      containers:\n"
        "      - {name: c, image: none, resources: {limits: {cpu: 1, memory: 1Gi, nvidia.com/gpu: {{.gpu}}}}}\n"
    )


def test_pods_of_a_deployment_wait_for_the_quota_one_by_one(kueue: LocalCluster, tmp_path: Path) -> None:
    check = task("CheckPod", "run", refTaskId="object", status="Running", timeout="4s")
    path = workflow(tmp_path, "job.yml", check, replicas=3, gpu=8)
    (tmp_path / "object.yml").write_text(many("Deployment"))
    said = kueue.cli("run", path, "--cleanup", check=1)
    assert "1 of 3 pods are Running" in said.stderr
    assert "held back by its scheduling gates: kueue.x-k8s.io/admission" in said.stderr
    # The pods that wait own the Workloads that know for what.
    assert "QuotaReserved=False (Pending: couldn't assign flavors" in said.stderr
    assert "acts on it" not in said.stderr


def test_a_statefulset_waits_whole(kueue: LocalCluster, tmp_path: Path) -> None:
    check = task("CheckPod", "runs", refTaskId="object", status="Running", timeout="8s")
    path = workflow(tmp_path, "job.yml", check, replicas=3, gpu=8)
    (tmp_path / "object.yml").write_text(many("StatefulSet"))
    said = kueue.cli("run", path, "--cleanup", check=1)
    assert "0 of 3 pods are Running" in said.stderr
    assert "QuotaReserved=False" in said.stderr


def test_a_pod_of_its_own_waits(kueue: LocalCluster, tmp_path: Path) -> None:
    first = task("CheckPod", "runs", refTaskId="object", status="Running", timeout="20s")
    second = submit("second", params={"namespace": "default", "queue": "team", "replicas": 1, "gpu": 8})
    check = task("CheckPod", "waits", refTaskId="second", status="Running", timeout="2s")
    path = workflow(tmp_path, "job.yml", first, second, check, replicas=1, gpu=8)
    (tmp_path / "object.yml").write_text(a_pod())
    said = kueue.cli("run", path, "--cleanup", check=1)
    assert "held back by its scheduling gates: kueue.x-k8s.io/admission" in said.stderr
    assert "Workload default/pod-" in said.stderr


def kubectl(cluster: LocalCluster, *args: str, given: str = "") -> str:
    command = [str(program("kubectl")), f"--kubeconfig={cluster.kubeconfig}", *args]
    return subprocess.run(command, input=given, check=True, capture_output=True, text=True).stdout


def clear(cluster: LocalCluster) -> None:
    """Remove what a run without a cleanup has left."""
    for kinds in ("jobs", "localqueues.kueue.x-k8s.io", "clusterqueues", "resourceflavors", "nodes"):
        kubectl(cluster, "delete", kinds, "--all")


def test_the_visibility_api_tells_what_is_pending(kueue: LocalCluster, tmp_path: Path) -> None:
    held = {"status": {"conditions": [{"type": "QuotaReserved", "status": "False"}]}}
    kind = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "Workload"}
    check = task("CheckObj", "held", **kind, ownedBy="object", state=held, timeout="20s")
    path = workflow(tmp_path, "job.yml", check, replicas=2, gpu=8, ttl="10m")
    try:
        kueue.cli("run", path)
        for place in ("clusterqueues/small", "namespaces/default/localqueues/team"):
            url = f"/apis/visibility.kueue.x-k8s.io/v1beta2/{place}/pendingworkloads"
            (pending,) = json.loads(kubectl(kueue, "get", "--raw", url))["items"]
            assert pending["metadata"]["name"].startswith("job-job1-")
            assert (pending["localQueueName"], pending["positionInClusterQueue"]) == ("team", 0)
    finally:
        clear(kueue)


def test_a_queue_that_nobody_manages_is_told_before_the_run(control_plane: LocalCluster, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        register(template="object.yml", podCount="3", podNameFormat="{{._NAME_}}-.*"),
        submit("object", params={"namespace": "default", "queue": "team", "gpu": 0}),
    )
    (tmp_path / "object.yml").write_text(many("Deployment"))
    said = control_plane.cli("run", path, "--cleanup")
    assert "wf.yml:" in said.stderr
    assert (
        "Deployment job1 has the label kueue.x-k8s.io/queue-name, but nothing in the cluster acts on it" in said.stderr
    )


def test_a_missing_kind_names_what_brings_it(control_plane: LocalCluster) -> None:
    said = control_plane.cli("run", "workflows/kueue/test-quota.yml", check=5)
    assert "does not serve kueue.x-k8s.io/v1beta2" in said.stderr
    assert f"`knavtool cluster up --name {control_plane.name} --with kueue` brings it" in said.stderr
    assert "nothing was changed" in said.stderr


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[LocalCluster]:
    cluster = LocalCluster(root=tmp_path, name="manager")
    cluster.up("--with", "kueue", "--set", "kueue.integrations=batch")
    yield cluster
    cluster.down()


def test_a_cluster_sends_its_jobs_to_another_one(kueue: LocalCluster, manager: LocalCluster) -> None:
    worker = kubectl(kueue, "config", "view", "--raw", "--flatten", "--minify")
    secret = ["create", "secret", "generic", "worker", "--namespace=kueue-system", "--from-file=kubeconfig=/dev/stdin"]
    kubectl(manager, *secret, given=worker)
    try:
        kueue.cli("run", MULTIKUEUE / "config-worker.yml")
        done = manager.cli("run", MULTIKUEUE / "test-job.yml", "--cleanup")
    finally:
        clear(kueue)
    assert re.search(r"ok +completed \(CheckObj\)", done.stderr)
    assert json.loads(kubectl(manager, "get", "nodes", "-o", "json"))["items"] == []
