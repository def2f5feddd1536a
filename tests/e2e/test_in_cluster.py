"""The chart on a real control plane, and runs with the rights of its service account and no others."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from knavtool import resources
from knavtool.errors import ClusterError, Forbidden
from knavtool.kube.client import Client
from knavtool.kube.connecting import connect
from knavtool.kube.connection import access
from knavtool.kube.prometheus import Prometheus, proxied_prometheus
from knavtool.kube.resource import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    JOBS,
    NAMESPACES,
    NODES,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Manifest,
    Resource,
)
from knavtool.kube.waiting import until
from knavtool.workflow.tasks import TASKS
from support import kubeconfigs
from support.charts import CHART
from support.cli import SCRIPT
from support.control_plane import LocalCluster
from support.exported import until as until_exported
from support.programs import program
from support.workflows import register, submit, task, write

pytestmark = pytest.mark.cluster

CLUSTER_ROLES = Resource("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False)
JOB = (resources.data_directory() / "workflows/k8s/templates/job.yml").read_text()
SLEEP = "name: sleep\ntasks:\n- {id: s, type: Sleep, params: {timeout: 1s}}\n"
AS_JOB = {"workflows": {"files": {"sleep.yml": SLEEP}}}
NODE_LABELS = {"nvidia.com/gpu.count": "8"}


class Release:
    """The chart in a namespace of its own, whose pods have to keep to the restricted pod security standard."""

    def __init__(self, plane: LocalCluster, directory: Path) -> None:
        self.plane = plane
        self.namespace = f"in-cluster-{uuid.uuid4().hex[:8]}"
        self.name = "knavtool"
        self.role = f"{self.namespace}-knavtool"
        self._directory = directory
        label = {"pod-security.kubernetes.io/enforce": "restricted"}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace, "labels": label}}
        plane.ask(lambda client: client.create(NAMESPACES, body))

    def install(self, values: Mapping[str, Any]) -> None:
        """`helm upgrade --install`."""
        file = self._directory / "chart-values.yaml"
        file.write_text(yaml.safe_dump(dict(values)))
        self._call("helm", "upgrade", "--install", self.name, CHART, "--values", file)

    def remove(self) -> None:
        """Everything, also if it was not installed."""
        self._call("helm", "uninstall", self.name, "--ignore-not-found", "--wait")
        self.plane.ask(lambda client: client.delete(NAMESPACES, self.namespace))

    def get(self, resource: Resource, name: str) -> Manifest:
        namespace = self.namespace if resource.namespaced else None
        return self.plane.ask(lambda client: client.get(resource, name, namespace=namespace))

    def token(self, account: str = "") -> str:
        """A token of a service account, by default that of the runs, as a pod gets one."""
        return self._call("kubectl", "create", "token", account or self.name).strip()

    def cluster(self) -> dict[str, str]:
        """Address and authority of the API server."""
        config = yaml.safe_load(self.plane.kubeconfig.read_text())
        found: dict[str, str] = next(one["cluster"] for one in config["clusters"] if one["name"] == self.plane.context)
        return found

    def kubeconfig(self, account: str = "") -> Path:
        """A kubeconfig with nothing but that token."""
        cluster = self.cluster()
        authority = Path(cluster["certificate-authority"])
        return kubeconfigs.write(
            self._directory / "account", cluster["server"], authority=authority, token=self.token(account)
        )

    def as_account(self, question: Callable[[Client], Any], account: str = "") -> Any:
        """Ask the API server with the rights of the service account."""
        kubeconfig = self.kubeconfig(account)

        async def asked() -> Any:
            async with connect(kubeconfig=kubeconfig, context=None) as client:
                return await question(client)

        return asyncio.run(asked())

    def until_may(self, verb: str, resource: Resource, *, expected: bool = True, account: str = "") -> None:
        """Wait until the API server's authorizer has seen the role as it is; its cache cannot be watched."""

        async def known(client: Client) -> None:
            async with asyncio.timeout(30):
                while await client.may(verb, resource) is not expected:  # noqa: ASYNC110 - see above
                    await asyncio.sleep(0.05)

        self.as_account(known, account)

    def _call(self, name: str, *args: str | Path) -> str:
        where = ["--kubeconfig", self.plane.kubeconfig, "--namespace", self.namespace]
        context = ["--kube-context" if name == "helm" else "--context", self.plane.context]
        command = [str(word) for word in (program(name), *args, *where, *context)]
        environment = {**os.environ, **self.plane.environment}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def release(control_plane: LocalCluster, tmp_path: Path) -> Iterator[Release]:
    made = Release(control_plane, tmp_path)
    yield made
    made.remove()
    control_plane.cli("nodes", "delete", "--all")


def test_the_pod_of_a_job_keeps_off_virtual_nodes(release: Release, tmp_path: Path) -> None:
    values = tmp_path / "nodes.yaml"
    values.write_text(yaml.safe_dump({"nodes": [{"type": "dgxa100.80g", "count": 2}]}))
    release.plane.cli("nodes", "apply", "-f", values)
    release.install(AS_JOB)

    def refusal(pods: Mapping[tuple[str, str], Manifest]) -> str | None:
        conditions = [one for pod in pods.values() for one in pod["status"].get("conditions", ())]
        return next((one["message"] for one in conditions if one["type"] == "PodScheduled"), None)

    async def look(client: Client) -> tuple[str, list[Manifest]]:
        said = await until(client, PODS, refusal, timeout=60, namespace=release.namespace)
        return said, await client.list(PODS, namespace=release.namespace)

    said, pods = release.plane.ask(look)
    assert re.match(r"0/2 nodes are available: 2 node\(s\) didn't match Pod's node affinity/selector", said)
    assert [(pod["status"]["phase"], pod["spec"].get("nodeName")) for pod in pods] == [("Pending", None)]
    job = release.get(JOBS, "knavtool-1")
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == release.name
    assert release.get(SERVICE_ACCOUNTS, release.name)
    assert release.get(CONFIG_MAPS, "knavtool-workflows")["data"] == {"sleep.yml": SLEEP}


def test_an_upgrade_runs_the_workflows_of_a_job_again(release: Release) -> None:
    release.install(AS_JOB)
    release.install(AS_JOB)
    jobs = release.plane.ask(lambda client: client.list(JOBS, namespace=release.namespace))
    left = [job["metadata"]["name"] for job in jobs if "deletionTimestamp" not in job["metadata"]]
    assert left == ["knavtool-2"]


def test_an_upgrade_keeps_the_token_of_a_server(release: Release) -> None:
    release.install({"mode": "server"})
    before = release.get(SECRETS, "knavtool-token")["data"]["token"]
    release.install({"mode": "server", "server": {"port": 9000}})
    assert release.get(SECRETS, "knavtool-token")["data"]["token"] == before
    assert release.get(SERVICES, release.name)["spec"]["ports"][0]["port"] == 9000
    assert release.get(DEPLOYMENTS, release.name)["spec"]["replicas"] == 1


def every_task(namespace: str, existing: str) -> list[dict[str, Any]]:
    """A workflow with all task types that need no Prometheus; `existing` has a Deployment called `restarted`."""
    params = {
        "namespace": namespace,
        "parallelism": 1,
        "completions": 1,
        "backoffLimit": 0,
        "completionMode": "Indexed",
        "image": "none",
        "cpu": "100m",
        "memory": "1M",
        "gpu": 8,
        "ttl": "1h",
    }
    return [
        task(
            "Configure",
            timeout="60s",
            nodes=[{"type": "dgxa100.80g", "count": 2, "labels": NODE_LABELS}],
            namespaces=[{"name": namespace, "op": "create"}],
            priorityClasses=[{"name": namespace, "op": "create", "value": 10}],
            configmaps=[{"name": "config", "namespace": namespace, "op": "create", "data": {"a": "1"}}],
            deploymentRestarts=[{"namespace": existing, "name": "restarted"}],
        ),
        task(
            "Configure",
            "again",
            timeout="60s",
            priorityClasses=[{"name": namespace, "op": "create", "value": 11}],
            configmaps=[{"name": "config", "namespace": namespace, "op": "create", "data": {"a": "2"}}],
        ),
        task("CheckConfigmap", name="config", namespace=namespace, op="equal", data={"a": "2"}, timeout="10s"),
        register(podNameFormat="{{._NAME_}}-.*"),
        submit(params=params),
        task("CheckPod", refTaskId="job", status="Running", nodeLabels=NODE_LABELS, timeout="30s"),
        task("CheckObj", refTaskId="job", state={"status": {"active": 1}}, timeout="30s"),
        task("CheckPlacement", refTaskId="job", allOrNothing=True, timeout="30s"),
        task("UpdateObj", refTaskId="job", state={"metadata": {"labels": {"changed": "yes"}}}),
        task("UpdateNodes", selectors=[NODE_LABELS], state={"spec": {"unschedulable": True}}),
        task("DeleteObj", refTaskId="job", wait=True),
        task("Sleep", timeout="1ms"),
        task("CheckMeasure", measure="pods.count", op=">=", value=1, allowSaturated=True),
        task("Pause", timeout="1ms"),
    ]


@pytest.fixture
def workflow(release: Release, tmp_path: Path) -> Path:
    """That workflow, and what it needs."""
    release.install({**AS_JOB, "objects": [{"apiGroups": ["batch"], "resources": ["jobs"]}]})
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "restarted"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "x"}},
            "template": {
                "metadata": {"labels": {"app": "x"}},
                "spec": {"containers": [{"name": "x", "image": "x"}]},
            },
        },
    }
    release.plane.ask(lambda client: client.create(DEPLOYMENTS, deployment, namespace=release.namespace))
    release.until_may("watch", PODS)
    tasks = every_task(f"{release.namespace}-made", release.namespace)
    missing = set(TASKS) - {one["type"] for one in tasks} - {"CheckMetric"}
    assert not missing, "add a task of each of these types to `every_task`"
    return write(tmp_path, *tasks, template=JOB)


def test_every_task_runs_with_the_rights_of_the_chart(
    release: Release, workflow: Path, knavtool: Callable[..., CompletedProcess[str]]
) -> None:
    done = knavtool("run", workflow, "--cleanup", "--kubeconfig", release.kubeconfig())
    assert "orbidden" not in done.stderr
    assert release.plane.ask(lambda client: client.list(NODES)) == []
    names = [one["metadata"]["name"] for one in release.plane.ask(lambda client: client.list(NAMESPACES))]
    assert f"{release.namespace}-made" not in names


@pytest.mark.parametrize(
    ("verb", "resource", "said"),
    [
        ("create", JOBS, "create jobs.batch in namespace {}-made"),
        ("watch", PODS, "watch pods in namespace {}-made"),
        ("delete", NAMESPACES, "delete namespaces"),
    ],
    ids=str,
)
def test_the_verb_that_is_missing_is_named_before_anything_is_changed(
    release: Release,
    workflow: Path,
    knavtool: Callable[..., CompletedProcess[str]],
    verb: str,
    resource: Resource,
    said: str,
) -> None:
    rules = release.get(CLUSTER_ROLES, release.role)["rules"]
    for rule in rules:
        if rule["resources"] == [resource.plural]:
            rule["verbs"].remove(verb)
    release.plane.ask(lambda client: client.patch(CLUSTER_ROLES, release.role, {"rules": rules}))
    release.until_may(verb, resource, expected=False)
    done = knavtool("run", workflow, "--cleanup", "--kubeconfig", release.kubeconfig(), check=5)
    missing = re.findall(r"this account may not (.*)", done.stderr)
    assert missing == [said.format(release.namespace)]
    assert "nothing was changed" in done.stderr
    assert release.plane.ask(lambda client: client.list(NODES)) == []


def test_the_prometheus_of_an_operator_may_be_asked_and_no_other_service(release: Release) -> None:
    release.install({**AS_JOB, "tasks": ["CheckMetric"]})
    for name in ("prometheus-operated", "other"):
        body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": 9090}]}}
        release.plane.ask(partial(Client.create, resource=SERVICES, body=body, namespace=release.namespace))

    async def ask(client: Client) -> None:
        async with asyncio.timeout(30):
            while (prometheus := await _found(client)) is None:  # noqa: ASYNC110 - see `until_may`
                await asyncio.sleep(0.05)
        with pytest.raises(ClusterError, match="no endpoints available") as caught:
            await prometheus.query("up", retry_timeout=0)
        assert caught.value.status == 503
        with pytest.raises(Forbidden):
            await client.list(SERVICES)
        with pytest.raises(Forbidden):
            await client.transport.request(
                "GET", f"/api/v1/namespaces/{release.namespace}/services/other:9090/proxy/", "ask another"
            )

    release.as_account(ask)


async def _found(client: Client) -> Prometheus | None:
    try:
        return await proxied_prometheus(client)
    except Forbidden:
        return None


async def test_a_pod_finds_its_cluster_by_itself(
    release: Release, workflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = tmp_path / "serviceaccount"
    mounted.mkdir()
    cluster = release.cluster()
    (mounted / "token").write_text(release.token())
    (mounted / "ca.crt").write_bytes(Path(cluster["certificate-authority"]).read_bytes())
    monkeypatch.setattr(access, "SERVICE_ACCOUNT_TOKEN", mounted / "token")
    server = urlsplit(cluster["server"])
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", str(server.hostname))
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.port))
    async with connect(kubeconfig=None, context=None, environment={"HOME": str(tmp_path)}) as client:
        assert await client.may("create", JOBS)
        assert not await client.may("list", SECRETS)


def test_the_exporter_works_with_the_rights_of_the_chart(release: Release, tmp_path: Path) -> None:
    account = "knavtool-exporter"
    release.install({"mode": "none", "exporter": {"enabled": True}})
    release.until_may("watch", PODS, account=account)
    assert release.get(DEPLOYMENTS, account)["spec"]["template"]["spec"]["serviceAccountName"] == account
    values = tmp_path / "nodes.yaml"
    values.write_text(yaml.safe_dump({"nodes": [{"type": "dgxa100.80g", "count": 2}]}))
    release.plane.cli("nodes", "apply", "-f", values)
    command = [str(SCRIPT), "exporter", "--listen", "127.0.0.1:0", "--kubeconfig", str(release.kubeconfig(account))]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            url = re.search(r"serving (\S+)/metrics", said)
            assert url, said
            found = until_exported(url[1], lambda seen: seen.get("knavtool_allocatable_gpus") is not None)
        finally:
            process.kill()
    assert list(found["knavtool_allocatable_gpus"].values()) == [16]

    async def rights(client: Client) -> set[tuple[str, str]]:
        asked = [(verb, kind) for verb in ("list", "watch", "create", "delete") for kind in (NODES, PODS, SECRETS)]
        return {(verb, kind.plural) for verb, kind in asked if await client.may(verb, kind)}

    assert release.as_account(rights, account) == {
        ("list", "nodes"),
        ("watch", "nodes"),
        ("list", "pods"),
        ("watch", "pods"),
    }
