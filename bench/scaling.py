"""The scaling benchmark: as many nodes as Jobs, each Job one pod that takes a whole node and ends at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import yaml

from bench import commands, jobs, nodes
from bench.server import LEASES
from bench.setting import KNAVTOOL, BenchError
from bench.witness import PODS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bench.bare import Bare
    from bench.setting import Setting

_TEMPLATE = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: {{._NAME_}}
  namespace: default
spec:
  backoffLimit: 0
  completionMode: Indexed
  parallelism: 1
  completions: 1
  template:
    metadata:
      labels:
        app: {{._NAME_}}
      annotations:
        pod-complete.stage.kwok.x-k8s.io/delay: 0s
        pod-complete.stage.kwok.x-k8s.io/jitter-delay: 0s
    spec:
      restartPolicy: Never
      containers:
      - name: worker
        image: busybox
        resources:
          requests: {nvidia.com/gpu: 8, cpu: 100m, memory: 512Mi}
          limits: {nvidia.com/gpu: 8, cpu: 100m, memory: 512Mi}
"""
_WORKFLOW = """\
name: scaling
tasks:
- id: nodes
  type: Configure
  params:
    timeout: 5m
    nodes:
    - type: dgxa100.80g
      count: {count}
      labels:
        nvidia.com/gpu.count: "8"
- id: register
  type: RegisterObj
  params:
    template: scaling-job.yml
    nameFormat: job{{{{._ENUM_}}}}
    podNameFormat: "{{{{._NAME_}}}}-.*"
    podCount: "1"
- id: jobs
  type: SubmitObj
  params:
    refTaskId: register
    count: {count}
- id: done
  type: CheckPod
  params:
    refTaskId: jobs
    status: Succeeded
    timeout: 10m
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """The workflow as a file, and its objects as JSON."""

    workflow: Path
    nodes: Sequence[bytes]
    jobs: Sequence[bytes]

    async def by_hand(self, bare: Bare) -> float:
        """Do what the workflow says with the bare loop; returns seconds until the last pod is seen to succeed."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        version = (await bare.get(f"{nodes.PATH}?limit=1"))["metadata"]["resourceVersion"]
        held = (await bare.get(f"{LEASES}?limit=1"))["metadata"]["resourceVersion"]
        # A pod that is bound before KWOK has the lease of its node may be left alone for minutes.
        leases = asyncio.create_task(_until(bare, LEASES, held, len(self.nodes), lambda _: True))
        await bare.post(nodes.PATH, self.nodes)
        await _until(bare, nodes.PATH, version, len(self.nodes), _ready)
        await leases
        version = (await bare.get(f"{PODS}?limit=1"))["metadata"]["resourceVersion"]
        watching = asyncio.create_task(_until(bare, PODS, version, len(self.jobs), _succeeded))
        await bare.post(jobs.PATH, self.jobs)
        await watching
        return loop.time() - start

    async def undo(self, bare: Bare) -> None:
        """Delete all of it, and wait until nothing is left."""
        await jobs.delete_all(bare)
        await bare.delete([f"{nodes.PATH}/{orjson.loads(body)['metadata']['name']}" for body in self.nodes])
        await nodes.gone(bare)


def scaling(setting: Setting, count: int) -> Scaling:
    """`count` nodes and Jobs; what the bare loop sends is what `knavtool run --dry-run` prints."""
    setting.file("scaling-job.yml", _TEMPLATE)
    workflow = setting.file("scaling.yml", _WORKFLOW.format(count=count))
    printed = commands.run([KNAVTOOL, "run", "--dry-run", str(workflow)], setting.environment()).stdout
    documents = [document for document in yaml.load_all(printed, yaml.CSafeLoader) if document]
    of_kind = {
        kind: [orjson.dumps(document) for document in documents if document["kind"] == kind] for kind in ("Node", "Job")
    }
    if any(len(bodies) != count for bodies in of_kind.values()):
        raise BenchError(f"`knavtool run --dry-run` printed {len(documents)} objects instead of {2 * count}")
    return Scaling(workflow=workflow, nodes=of_kind["Node"], jobs=of_kind["Job"])


async def _until(bare: Bare, path: str, version: str, count: int, reached: Callable[[dict[str, Any]], bool]) -> None:
    found: set[str] = set()
    async with asyncio.timeout(600):
        async for item in bare.watch(path, version):
            if reached(item):
                found.add(item["metadata"]["name"])
            if len(found) == count:
                return


def _ready(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions") or ()
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _succeeded(pod: dict[str, Any]) -> bool:
    return bool(pod["status"].get("phase") == "Succeeded")
