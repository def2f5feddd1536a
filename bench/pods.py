"""Pods for measurements. No scheduler is asked for them and no node runs them, so that nobody else changes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson
import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.bare import Bare
    from bench.setting import Setting

_POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  namespace: {namespace}
  labels:
    app: {name}
  annotations:
    pod-complete.stage.kwok.x-k8s.io/delay: 0s
    pod-complete.stage.kwok.x-k8s.io/jitter-delay: 0s
spec:
  schedulerName: nobody
  restartPolicy: Never
  containers:
  - name: worker
    image: busybox
    resources:
      requests: {{nvidia.com/gpu: 8, cpu: 100m, memory: 512Mi}}
      limits: {{nvidia.com/gpu: 8, cpu: 100m, memory: 512Mi}}
"""
# As KWOK writes it.
_RUNNING = {
    "phase": "Running",
    "hostIP": "10.0.0.1",
    "podIP": "10.0.0.2",
    "startTime": "2024-01-01T00:00:00Z",
    "conditions": [
        {"type": name, "status": "True", "lastTransitionTime": "2024-01-01T00:00:00Z"}
        for name in ("PodScheduled", "Initialized", "Ready", "ContainersReady")
    ],
    "containerStatuses": [
        {
            "name": "worker",
            "image": "busybox",
            "imageID": "",
            "ready": True,
            "restartCount": 0,
            "started": True,
            "state": {"running": {"startedAt": "2024-01-01T00:00:00Z"}},
        }
    ],
}
# Every round waits four times; before each wait for all pods one pod is made to differ.
_DETECTION = """\
name: detection
tasks:
- id: register
  type: RegisterObj
  params:
    template: detection-pod.yml
    nameFormat: pod{{{{._ENUM_}}}}
    podNameFormat: "{{{{._NAME_}}}}"
    podCount: "1"
- id: submit
  type: SubmitObj
  params: {{refTaskId: register, count: {count}}}
- id: register-last
  type: RegisterObj
  params:
    template: detection-pod.yml
    nameFormat: {last}
    podNameFormat: {last}
    podCount: "1"
- id: last
  type: SubmitObj
  params: {{refTaskId: register-last, canExist: true}}
- id: rounds
  type: Repeat
  params:
    count: {rounds}
    tasks:
    - id: differ
      type: CheckPod
      params: {{refTaskId: last, status: Running, timeout: 1m}}
    - id: pods
      type: CheckPod
      params: {{refTaskId: submit, status: Pending, timeout: 1m}}
    - id: differ-again
      type: CheckPod
      params: {{refTaskId: last, status: Running, timeout: 1m}}
    - id: objects
      type: CheckObj
      params: {{refTaskId: submit, state: {{status: {{phase: Pending}}}}, timeout: 1m}}
"""
# The pods are there before the run; they belong to the check by their names.
_WATCHING = """\
name: watching
tasks:
- id: register
  type: RegisterObj
  params:
    template: owner.yml
    nameFormat: owner
    podNameFormat: pod[0-9]+
    podCount: "{count}"
- id: owner
  type: SubmitObj
  params: {{refTaskId: register, canExist: true}}
- id: running
  type: CheckPod
  params: {{refTaskId: owner, status: Running, timeout: 5m}}
"""
_OWNER = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: '{{{{._NAME_}}}}', namespace: {namespace}}}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """A workflow that submits `names` and then waits, `rounds` times, for all of them to be Pending."""

    workflow: Path
    names: Sequence[str]
    rounds: int
    body: bytes


def detection(setting: Setting, count: int, rounds: int) -> Detection:
    """Write the files of the workflow."""
    names = [f"pod{number}" for number in range(1, count + 1)]
    setting.file("detection-pod.yml", _POD.format(name="{{._NAME_}}", namespace="default"))
    text = _DETECTION.format(count=count, rounds=rounds, last=names[-1])
    body = orjson.dumps(yaml.safe_load(_POD.format(name="", namespace="default")))
    return Detection(workflow=setting.file("detection.yml", text), names=names, rounds=rounds, body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """A workflow that waits for `count` pods of a namespace, which are there and Running."""

    workflow: Path
    namespace: str
    count: int

    async def present(self, bare: Bare) -> None:
        """Make the namespace and its pods."""
        namespace = {"metadata": {"name": self.namespace}}
        await bare.send("POST", "/api/v1/namespaces", orjson.dumps(namespace))
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        names = [f"pod{number}" for number in range(self.count)]
        pod = yaml.safe_load(_POD.format(name="", namespace=self.namespace))
        await bare.post(path, (orjson.dumps(pod | {"metadata": pod["metadata"] | {"name": name}}) for name in names))
        status = orjson.dumps({"status": _RUNNING})
        await bare.patch((f"{path}/{name}/status", status) for name in names)


def watching(setting: Setting, count: int) -> Watching:
    """Write the files of the workflow."""
    namespace = f"with-{count}"
    text = _WATCHING.format(count=count).replace("owner.yml", f"owner-{count}.yml")
    setting.file(f"owner-{count}.yml", _OWNER.format(namespace=namespace))
    return Watching(workflow=setting.file(f"watching-{count}.yml", text), namespace=namespace, count=count)
