"""Jobs for measurements: a workflow that submits them, the same bodies for the bare loop, waiting for their end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
import yaml

from bench import commands, server
from bench.setting import KNAVTOOL, BenchError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.bare import Bare
    from bench.setting import Setting

PATH = "/apis/batch/v1/namespaces/default/jobs"
_TEMPLATE = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: {{._NAME_}}
  namespace: default
spec:
  suspend: {{.suspend}}
  backoffLimit: 0
  completions: 1
  parallelism: 1
  template:
    metadata:
      annotations:
        # KWOK ends the pods of a Job at once with its own stages, and after 30 seconds with those of `cluster up`.
        pod-complete.stage.kwok.x-k8s.io/delay: 0s
        pod-complete.stage.kwok.x-k8s.io/jitter-delay: 0s
      labels:
        app: {{._NAME_}}
    spec:
      restartPolicy: Never
      containers:
      - name: worker
        image: ubuntu
        resources:
          requests: {cpu: 100m, memory: 64Mi}
"""
_WORKFLOW = """\
name: bench
tasks:
- id: register
  type: RegisterObj
  params:
    template: bench-job.yml
    nameFormat: bench-job{{._ENUM_}}
    podNameFormat: "{{._NAME_}}-.*"
    podCount: "1"
- id: submit
  type: SubmitObj
  params:
    refTaskId: register
    count: %d
    params:
      suspend: %s
"""
# A check that refers to the Jobs makes the run follow their pods while it submits.
_CHECK = """\
- id: pending
  type: CheckPod
  params:
    refTaskId: submit
    status: %s
    timeout: 5m
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """One-pod Jobs as a workflow file and as JSON."""

    workflow: Path
    bodies: Sequence[bytes]

    async def create(self, bare: Bare) -> float:
        """Create them all by the bare loop; returns seconds."""
        return await bare.post(PATH, self.bodies)

    async def complete(self, bare: Bare) -> float:
        """Create them all by the bare loop; returns the seconds from the first request to the last completion."""
        version = (await bare.get(f"{PATH}?limit=1"))["metadata"]["resourceVersion"]
        loop = asyncio.get_running_loop()
        start = loop.time()
        writing = asyncio.create_task(self.create(bare))
        done: set[str] = set()
        async with asyncio.timeout(600):
            async for job in bare.watch(PATH, version):
                if (end := _end(job)) == "Failed":
                    raise BenchError(f"Job {job['metadata']['name']} failed: {job['status']}")
                if end:
                    done.add(job["metadata"]["name"])
                if len(done) == len(self.bodies):
                    break
        seconds = loop.time() - start
        await writing
        return seconds


def jobs(setting: Setting, count: int, *, suspend: bool, check: str = "") -> Jobs:
    """`count` Jobs of one pod; what the bare loop sends is what `knavtool run --dry-run` prints.

    `check` is the phase for which the workflow waits.
    """
    setting.file("bench-job.yml", _TEMPLATE)
    text = _WORKFLOW % (count, str(suspend).lower()) + (_CHECK % check if check else "")
    workflow = setting.file("bench-workflow.yml", text)
    printed = commands.run([KNAVTOOL, "run", "--dry-run", str(workflow)], setting.environment()).stdout
    documents = [document for document in yaml.load_all(printed, yaml.CSafeLoader) if document]
    if len(documents) != count:
        raise BenchError(f"`knavtool run --dry-run` printed {len(documents)} objects instead of {count}")
    return Jobs(workflow=workflow, bodies=[orjson.dumps(document) for document in documents])


async def delete_all(bare: Bare) -> None:
    """Delete all Jobs and wait until nothing of them is left."""
    await bare.send("DELETE", PATH, orjson.dumps({"propagationPolicy": "Background"}))
    await server.quiet(bare)


def _end(job: Mapping[str, object]) -> str:
    """`Complete`, `Failed`, or nothing."""
    status = job["status"]
    assert isinstance(status, dict)
    ends = [one["type"] for one in status.get("conditions") or () if one["status"] == "True"]
    return next((end for end in ends if end in ("Complete", "Failed")), "")
