"""Virtual nodes and their pods behave like others: what runs on and on, what ends, what fails and comes back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from knavtool.kube.resource import (
    DEPLOYMENTS,
    JOBS,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    Manifest,
    Resource,
)
from knavtool.kube.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from knavtool.kube.client import Client
    from support.run_cluster import RunCluster

pytestmark = pytest.mark.cluster

VOLUMES = Resource("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False)
COMPLETE = "pod-complete.stage.kwok.x-k8s.io/delay"
READY = "pod-ready.stage.kwok.x-k8s.io/delay"
DOWN = "node-not-ready.stage.kwok.x-k8s.io"
LONG_AGO = "2020-01-01T00:00:00Z"
STATEFUL_SET = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: "{{{{._NAME_}}}}", namespace: {namespace}}}
spec:
  serviceName: store
  replicas: 2
  selector: {{matchLabels: {{app: store}}}}
  template:
    metadata: {{labels: {{app: store}}}}
    spec:
      containers:
      - {{name: c, image: none, volumeMounts: [{{name: data, mountPath: /data}}]}}
  volumeClaimTemplates:
  - metadata: {{name: data}}
    spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
"""


class Lab:
    """One virtual node, and a namespace for what runs on it."""

    def __init__(self, cluster: RunCluster) -> None:
        self.ask = cluster.ask
        self.namespace = cluster.namespace
        self.node = f"virtual-{os.getpid()}"

    async def prepare(self, client: Client) -> None:
        await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        resources = {"cpu": "64", "memory": "64Gi", "pods": "110"}
        metadata = {"name": self.node, "labels": {"type": "kwok", "kubernetes.io/hostname": self.node}}
        status = {"capacity": resources, "allocatable": resources}
        await client.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": status})
        await until(client, NODES, self.node_is("True"), timeout=60)

    def node_is(self, status: str) -> Callable[[dict[tuple[str, str], Manifest]], bool | None]:
        """Whether the node's condition Ready is that."""

        def found(nodes: dict[tuple[str, str], Manifest]) -> bool | None:
            node = nodes.get(("", self.node), {})
            return (
                any(
                    one["type"] == "Ready" and one["status"] == status
                    for one in node.get("status", {}).get("conditions", ())
                )
                or None
            )

        return found

    def pod(self, name: str, *, policy: str = "Never", **annotations: str) -> Manifest:
        """A pod on the node; keys of annotations are constants of this module."""
        named = {{"complete": COMPLETE, "ready": READY}[key]: value for key, value in annotations.items()}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "annotations": named},
            "spec": {"nodeName": self.node, "restartPolicy": policy, "containers": [{"name": "c", "image": "none"}]},
        }

    def template(self, *, policy: str = "Always", **annotations: str) -> Manifest:
        """A pod template with the label `app: x`."""
        pod = self.pod("", policy=policy, **annotations)
        pod["spec"] |= {"nodeSelector": {"kubernetes.io/hostname": self.node}}
        del pod["spec"]["nodeName"]
        return {
            "metadata": {"labels": {"app": "x"}, "annotations": pod["metadata"]["annotations"]},
            "spec": pod["spec"],
        }

    async def create(self, client: Client, resource: Resource, body: Manifest) -> None:
        await client.create(
            resource, {"apiVersion": resource.api_version, "kind": resource.kind, **body}, namespace=self.namespace
        )

    async def deployment(self, client: Client, **annotations: str) -> None:
        spec = {"replicas": 2, "selector": {"matchLabels": {"app": "x"}}, "template": self.template(**annotations)}
        await self.create(client, DEPLOYMENTS, {"metadata": {"name": "x"}, "spec": spec})

    async def ready(self, client: Client, count: int) -> None:
        """Wait until so many pods of the Deployment are ready."""
        await until(
            client,
            DEPLOYMENTS,
            lambda seen: any(one.get("status", {}).get("readyReplicas", 0) == count for one in seen.values()) or None,
            timeout=60,
            namespace=self.namespace,
        )

    async def phases(self, client: Client, wanted: dict[str, str]) -> None:
        """Wait until the pods have these phases."""

        def held(pods: dict[tuple[str, str], Manifest]) -> bool | None:
            seen = {name: pod["status"]["phase"] for (_, name), pod in pods.items()}
            return wanted.items() <= seen.items() or None

        await until(client, PODS, held, timeout=60, namespace=self.namespace)

    async def age(self, client: Client, name: str) -> None:
        """Let the containers of a running pod have started long ago."""
        status = {
            "startTime": LONG_AGO,
            "containerStatuses": [
                {
                    "name": "c",
                    "image": "none",
                    "imageID": "",
                    "ready": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": LONG_AGO}},
                }
            ],
        }
        await client.patch(PODS, name, {"status": status}, namespace=self.namespace, subresource="status")

    async def label(self, client: Client, value: str | None) -> None:
        await client.patch(NODES, self.node, {"metadata": {"labels": {DOWN: value}}})


@pytest.fixture
def lab(run_cluster: RunCluster) -> Iterator[Lab]:
    made = Lab(run_cluster)
    try:
        made.ask(made.prepare)
        yield made
    finally:
        made.ask(lambda client: client.delete(NAMESPACES, made.namespace))
        made.ask(
            lambda client: until(client, PODS, lambda pods: not pods or None, timeout=60, namespace=made.namespace)
        )
        made.ask(lambda client: client.delete(NODES, made.node))


def test_pods_end_when_their_time_is_over_unless_they_are_to_stay(lab: Lab) -> None:
    async def look(client: Client) -> None:
        pods = {
            "default": lab.pod("default"),
            "long": lab.pod("long", complete="1h"),
            "longer": lab.pod("longer", complete="1000000h"),
            "service": lab.pod("service", policy="Always"),
            "told": lab.pod("told", policy="Always", complete="1h"),
            "placeholder": lab.pod("placeholder"),
        }
        pods["placeholder"]["metadata"]["annotations"]["internal.yunikorn.apache.org/placeholder"] = "true"
        for body in pods.values():
            await lab.create(client, PODS, body)
        await lab.phases(client, dict.fromkeys(pods, "Running"))
        # Time has passed for all of them; no change of a pod gives it new time.
        for name in ("service", "placeholder", "default", "long", "longer", "told"):
            await lab.age(client, name)
        ended = dict.fromkeys(("default", "long", "told"), "Succeeded")
        await lab.phases(client, ended | dict.fromkeys(("longer", "service", "placeholder"), "Running"))

    lab.ask(look)


def test_pods_of_a_deployment_are_never_replaced(lab: Lab) -> None:
    async def look(client: Client) -> None:
        await lab.deployment(client, complete="1s")
        await lab.ready(client, 2)
        before = {pod["metadata"]["uid"] for pod in await client.list(PODS, namespace=lab.namespace)}
        # A pod that started later and ends tells that the time of the others was over.
        await lab.create(client, PODS, lab.pod("clock", complete="2s"))
        await lab.phases(client, {"clock": "Succeeded"})
        pods = await client.list(PODS, namespace=lab.namespace, label_selector="app=x")
        assert {pod["metadata"]["uid"] for pod in pods} == before
        assert {pod["status"]["phase"] for pod in pods} == {"Running"}

    lab.ask(look)


def test_a_pod_starts_as_late_as_its_annotation_says(lab: Lab) -> None:
    async def look(client: Client) -> None:
        await lab.create(client, PODS, lab.pod("late", ready="1h"))
        await lab.create(client, PODS, lab.pod("soon", ready="1s"))
        await lab.phases(client, {"late": "Pending", "soon": "Running"})

    lab.ask(look)


def test_a_node_that_fails_and_comes_back_does_so_with_its_pods(lab: Lab) -> None:
    async def look(client: Client) -> None:
        await lab.deployment(client)
        spec = {"backoffLimit": 0, "template": lab.template(policy="Never", complete="5s")}
        await lab.create(client, JOBS, {"metadata": {"name": "job"}, "spec": spec})
        await lab.ready(client, 2)
        for _ in range(2):
            await lab.label(client, "true")
            await until(client, NODES, lab.node_is("False"), timeout=60)
            await lab.ready(client, 0)
            # Not before its node.
            await client.patch(DEPLOYMENTS, "x", {"spec": {"paused": True}}, namespace=lab.namespace)
            pods = await client.list(PODS, namespace=lab.namespace, label_selector="app=x")
            for pod in pods:
                name = pod["metadata"]["name"]
                await client.patch(PODS, name, {"metadata": {"annotations": {"a": "b"}}}, namespace=lab.namespace)
            await lab.label(client, None)
            await until(client, NODES, lab.node_is("True"), timeout=60)
            await lab.ready(client, 2)
        node = await client.get(NODES, lab.node)
        assert "knavtool.io/node-state" not in node["metadata"]["labels"]
        assert all(one["address"] != "::" for one in node["status"]["addresses"])
        await until(
            client,
            JOBS,
            lambda seen: any(one.get("status", {}).get("succeeded") == 1 for one in seen.values()) or None,
            timeout=60,
            namespace=lab.namespace,
        )

    lab.ask(look)


def test_a_job_with_a_policy_notices_that_a_pod_was_deleted(lab: Lab) -> None:
    async def look(client: Client) -> None:
        rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [143]}}
        spec = {"podFailurePolicy": {"rules": [rule]}, "template": lab.template(policy="Never", complete="1h")}
        await lab.create(client, JOBS, {"metadata": {"name": "job"}, "spec": spec})

        def one_runs(pods: dict[tuple[str, str], Manifest]) -> str | None:
            return next((name for (_, name), pod in pods.items() if pod["status"]["phase"] == "Running"), None)

        name = await until(client, PODS, one_runs, timeout=60, namespace=lab.namespace)
        await client.delete(PODS, name, namespace=lab.namespace)

        def failed(jobs: dict[tuple[str, str], Manifest]) -> list[Any] | None:
            conditions = [one for job in jobs.values() for one in job.get("status", {}).get("conditions", ())]
            return [one["reason"] for one in conditions if one["type"] == "Failed"] or None

        assert await until(client, JOBS, failed, timeout=60, namespace=lab.namespace) == ["PodFailurePolicy"]

    lab.ask(look)


def test_a_stateful_set_gets_volumes_and_the_cleanup_removes_them(lab: Lab, run_cluster: RunCluster) -> None:
    (run_cluster.directory / "store.yml").write_text(STATEFUL_SET.format(namespace=lab.namespace))
    register = {"template": "store.yml", "nameFormat": "store{{._ENUM_}}"}
    register |= {"podNameFormat": "{{._NAME_}}-[0-9]+", "podCount": "2"}
    tasks = [
        {"id": "register", "type": "RegisterObj", "params": register},
        {"id": "store", "type": "SubmitObj", "params": {"refTaskId": "register"}},
        {"id": "runs", "type": "CheckPod", "params": {"refTaskId": "store", "status": "Running", "timeout": "60s"}},
    ]
    file = run_cluster.directory / "volumes.yml"
    file.write_text(yaml.safe_dump({"name": "volumes", "tasks": tasks}))
    earlier = {"metadata": {"name": "data-store1-9", "labels": {"app": "store"}}}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    lab.ask(lambda client: lab.create(client, PERSISTENT_VOLUME_CLAIMS, earlier | {"spec": claim}))
    run_cluster.run("run", file, "--cleanup")

    async def look(client: Client) -> None:
        left = await client.list(PERSISTENT_VOLUME_CLAIMS, namespace=lab.namespace)
        assert [one["metadata"]["name"] for one in left] == ["data-store1-9"]

        def gone(volumes: dict[tuple[str, str], Manifest]) -> bool | None:
            claims = [one["spec"]["claimRef"] for one in volumes.values()]
            return [one["name"] for one in claims if one["namespace"] == lab.namespace] == ["data-store1-9"] or None

        await until(client, VOLUMES, gone, timeout=60)
        await client.delete(PERSISTENT_VOLUME_CLAIMS, "data-store1-9", namespace=lab.namespace)
        await until(client, VOLUMES, lambda seen: not seen or None, timeout=60)

    lab.ask(look)
