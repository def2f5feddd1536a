"""A control plane to run workflows on, with a namespace of the test's own."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, TypeVar

from knavtool import resources
from knavtool.kube.client import Client
from knavtool.kube.resource import CONFIG_MAPS, JOBS, NAMESPACES, NODES, PODS
from support.control_plane import LocalCluster
from support.workflows import register, submit, task, write

T = TypeVar("T")
WORKFLOWS = resources.data_directory() / "workflows"
JOB = (WORKFLOWS / "k8s" / "templates" / "job.yml").read_text()
GPU_NODES = [{"type": "dgxa100.80g", "count": 2, "labels": {"nvidia.com/gpu.count": "8"}}]


class RunCluster:
    """A control plane, a namespace name that is free, and the command line for both."""

    def __init__(self, plane: LocalCluster, cli: Callable[..., CompletedProcess[str]], directory: Path) -> None:
        self._plane = plane
        self.run = cli
        self.directory = directory
        self.namespace = f"run-{uuid.uuid4().hex[:8]}"

    def ask(self, question: Callable[[Client], Awaitable[T]]) -> T:
        """Ask the API server itself."""
        return self._plane.ask(question)

    def metrics(self, process: str) -> str:
        """The metrics of a process of the control plane."""
        return self._plane.metrics(process)

    def left(self) -> dict[str, int]:
        """What there is of the kinds that runs make, where they make it."""

        async def count(client: Client) -> dict[str, int]:
            found = {"nodes": len(await client.list(NODES))}
            for kind in (JOBS, PODS, CONFIG_MAPS):
                items = await client.list(kind, namespace=self.namespace)
                found[kind.plural] = sum(item["metadata"]["name"] != "kube-root-ca.crt" for item in items)
            names = [item["metadata"]["name"] for item in await client.list(NAMESPACES)]
            found["namespaces"] = names.count(self.namespace)
            return {kind: number for kind, number in found.items() if number}

        return self.ask(count)

    def write(self, *tasks: dict[str, Any], **envelope: Any) -> Path:
        """A workflow that begins by making its namespace and two nodes, with the Job template beside it."""
        namespace = {"name": self.namespace, "op": "create"}
        configure = task("Configure", timeout="60s", nodes=GPU_NODES, namespaces=[namespace])
        return write(
            self.directory, configure, register(podNameFormat="{{._NAME_}}-.*"), *tasks, template=JOB, **envelope
        )

    def submit(
        self, *, count: Any = 1, pods: Any = 1, gpu: int = 8, run: str = "1h", id_: str = "job"
    ) -> dict[str, Any]:
        """A SubmitObj of Jobs whose pods run that long."""
        params = {
            "namespace": self.namespace,
            "parallelism": pods,
            "completions": pods,
            "backoffLimit": 0,
            "completionMode": "Indexed",
            "image": "none",
            "cpu": "100m",
            "memory": "1M",
            "gpu": gpu,
            "ttl": run,
        }
        return submit(id_, count=count, params=params)
