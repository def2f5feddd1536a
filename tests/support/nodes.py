"""Rendered nodes without Helm, and an API server in memory to make them on."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml

from knavtool.events import Event, Noted, Steps
from knavtool.kube.resource import DEVICE_CLASSES, NODES, RESOURCE_SLICES
from knavtool.nodes.apply import apply_nodes
from knavtool.render.nodes import STAMP, NodeBatch, NodeSet
from support.memory import Memory

if TYPE_CHECKING:
    from knavtool.errors import ClusterError
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest, Resource
    from knavtool.nodes.apply import Summary

READY = {"conditions": [{"type": "Ready", "status": "True"}]}
_READS = {"get", "list", "watch"}
TAINT = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
EXTRA = {"type": "Extra", "status": "False", "reason": "Fine", "message": ""}


def node_set(*names: str, **more: Any) -> NodeSet:
    """One entry's nodes as the chart renders them; the rest is for `prototype`."""
    return NodeSet(batches=(NodeBatch(prototype=prototype(**more), names=names),))


def with_devices(
    nodes: NodeSet, *sizes: int, driver: str = "gpu.example.com", named: str = "example.com/gpu", model: str = "H200"
) -> NodeSet:
    """The nodes with slices of these many devices each, as the chart renders them."""
    slices = []
    for number, size in enumerate(sizes):
        first = sum(sizes[:number])
        devices = [
            {
                "name": f"gpu-{device}",
                "attributes": {"model": {"string": model}},
                "capacity": {"memory": {"value": "141Gi"}},
            }
            for device in range(first, first + size)
        ]
        slices.append(
            {
                "apiVersion": "resource.k8s.io/v1",
                "kind": "ResourceSlice",
                "metadata": {
                    "name": f"{STAMP}-{driver}{f'-{number}' if number else ''}",
                    "labels": {"type": "kwok", "app.kubernetes.io/managed-by": "knavtool"},
                },
                "spec": {
                    "driver": driver,
                    "nodeName": STAMP,
                    "pool": {"name": STAMP, "generation": 1, "resourceSliceCount": len(sizes)},
                    "devices": devices,
                },
            }
        )
    device_class = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "DeviceClass",
        "metadata": {"name": driver, "labels": {"app.kubernetes.io/managed-by": "knavtool"}},
        "spec": {
            "selectors": [{"cel": {"expression": f'device.driver == "{driver}"'}}],
            "extendedResourceName": named,
        },
    }
    batches = tuple(replace(batch, slices=tuple(slices)) for batch in nodes.batches)
    return NodeSet(batches=batches, device_classes=(device_class,))


def prototype(
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    taints: Sequence[Mapping[str, str]] = (),
    conditions: Sequence[Mapping[str, str]] = (),
    resources: Mapping[str, str] | None = None,
    ready: bool = True,
) -> dict[str, Any]:
    """What the chart renders of one entry."""
    given = dict(resources if resources is not None else {"cpu": "8", "memory": "64Gi", "nvidia.com/gpu": "8"})
    health = {"type": "Ready", "status": str(ready), "reason": "KubeletReady", "message": ""}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": STAMP,
            "labels": {"type": "kwok", "kubernetes.io/hostname": STAMP, **(labels or {})},
            "annotations": {
                "node.alpha.kubernetes.io/ttl": "0",
                "kwok.x-k8s.io/node": "fake",
                **(annotations or {}),
            },
        },
        **({"spec": {"taints": list(taints)}} if taints else {}),
        "status": {"capacity": given, "allocatable": given, "conditions": [health, *conditions]},
    }


class Cluster(Memory):
    """A Memory with short words for what tests of nodes do."""

    def writes(self) -> list[str]:
        """What was sent since the last call of this, reads left out: `create a`, `patch status a`."""
        found = [f"{verb} {name}" for verb, _, name in self.calls if verb not in _READS]
        self.calls.clear()
        return found

    async def node(self, name: str) -> dict[str, Any]:
        return await self.get(NODES, name)

    async def names(self) -> list[str]:
        return sorted(node["metadata"]["name"] for node in await self.list(NODES))

    async def slices(self) -> dict[str, dict[str, Any]]:
        """All slices by name."""
        return {item["metadata"]["name"]: item for item in await self.list(RESOURCE_SLICES)}

    async def generations(self) -> dict[str, int]:
        """The generation of each slice's pool."""
        return {name: item["spec"]["pool"]["generation"] for name, item in (await self.slices()).items()}

    async def classes(self) -> list[str]:
        return sorted(item["metadata"]["name"] for item in await self.list(DEVICE_CLASSES))

    async def foreign(self, name: str, *, release: str = "", **labels: str) -> None:
        """A virtual node of a Helm release or of somebody else."""
        annotations = {
            "meta.helm.sh/release-name": release,
            "meta.helm.sh/release-namespace": "default",
        }
        metadata = {"name": name, "labels": {"type": "kwok", **labels}, "annotations": annotations if release else {}}
        await self.create(NODES, {"metadata": metadata, "status": READY})
        self.calls.clear()


class Busy(Cluster):
    """Somebody else acts just before requests with a verb arrive; a named node is refused with an error."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, list[Callable[[], Awaitable[object]]]] = {}
        self.refused: dict[tuple[str, str], ClusterError] = {}

    async def create(self, resource: Resource, body: Manifest | bytes, **more: Any) -> Manifest:
        await self._act("create")
        return await super().create(resource, body, **more)

    async def patch(self, resource: Resource, name: str, body: Manifest, **more: Any) -> Manifest:
        await self._act("patch")
        self._refuse("patch status" if more.get("subresource") else "patch", name)
        return await super().patch(resource, name, body, **more)

    async def delete(self, resource: Resource, name: str, **more: Any) -> bool:
        await self._act("delete")
        self._refuse("delete", name)
        return await super().delete(resource, name, **more)

    async def _act(self, verb: str) -> None:
        if self.before.get(verb):
            await self.before[verb].pop(0)()

    def _refuse(self, verb: str, name: str) -> None:
        if (error := self.refused.get((verb, name))) is not None:
            raise error


class Listener:
    """Steps that remember what they told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.steps = Steps(self.events.append)

    @property
    def notes(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Noted)]


async def apply(gateway: Gateway, nodes: NodeSet, **more: Any) -> Summary:
    """`apply_nodes` that does not wait for ever."""
    return await apply_nodes(gateway, nodes, **{"steps": Listener().steps, "timeout": 20, **more})


def virtual(name: str, **labels: str) -> dict[str, Any]:
    """A node as the manifest of a release has it."""
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"type": "kwok", **labels}}}


def stored(*objects: dict[str, Any], hooks: tuple[dict[str, Any], ...] = (), packed: bool = True) -> str:
    """A revision as Helm stores it."""
    text = json.dumps({"manifest": yaml.safe_dump_all(objects), "hooks": hooks}).encode()
    return base64.b64encode(gzip.compress(text) if packed else text).decode()
