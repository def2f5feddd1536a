"""Remembers virtual nodes and their devices as they were written, so that a cleanup can bring them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from knavtool.documents.entries import VIRTUAL
from knavtool.kube.resource import DEVICE_CLASSES, NODES, RESOURCE_SLICES
from knavtool.nodes.desired import APPLIED, HOSTNAME, KUBELET_CONDITIONS, Written, taint_key
from knavtool.nodes.devices import pages
from knavtool.nodes.ownership import MADE_BY, SELECTOR
from knavtool.nodes.pools import FIRST_GENERATION
from knavtool.render.nodes import STAMP, NodeBatch, NodeSet

if TYPE_CHECKING:
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest, Resource


async def snapshot_nodes(gateway: Gateway) -> NodeSet:
    """All nodes of ours; equal ones share a prototype, so that thousands cost little."""
    slices = await _slices(gateway)
    names: dict[bytes, list[str]] = {}
    async for page in gateway.pages(NODES, label_selector=SELECTOR):
        for node in page:
            name = node["metadata"]["name"]
            body = orjson.dumps([_as_written(node), *slices.get(name, ())], option=orjson.OPT_SORT_KEYS)
            names.setdefault(body, []).append(name)
    batches = []
    for body, members in names.items():
        prototype, *more = orjson.loads(body)
        batches.append(NodeBatch(prototype=prototype, names=tuple(sorted(members)), slices=tuple(more)))
    classes = [
        _plain(DEVICE_CLASSES, item, item["spec"])
        async for page in pages(gateway, DEVICE_CLASSES, needed=False, label_selector=SELECTOR)
        for item in page
    ]
    return NodeSet(batches=tuple(batches), device_classes=tuple(classes))


async def _slices(gateway: Gateway) -> dict[str, list[Manifest]]:
    """The slices of each node of ours, as prototypes in the order of their devices."""
    found: dict[str, list[Manifest]] = {}
    async for page in pages(gateway, RESOURCE_SLICES, needed=False, label_selector=f"{SELECTOR},{VIRTUAL}"):
        for item in page:
            spec, node = item["spec"], item["spec"]["nodeName"]
            pool = {**spec["pool"], "name": STAMP, "generation": FIRST_GENERATION}
            plain = _plain(RESOURCE_SLICES, item, {**spec, "nodeName": STAMP, "pool": pool})
            plain["metadata"]["name"] = f"{STAMP}{item['metadata']['name'].removeprefix(node)}"
            found.setdefault(node, []).append(plain)
    for slices in found.values():
        # By length first, because ...-10 comes after ...-9.
        slices.sort(key=lambda item: (len(item["metadata"]["name"]), item["metadata"]["name"]))
    return found


def _plain(resource: Resource, item: Manifest, spec: Manifest) -> Manifest:
    metadata = {"name": item["metadata"]["name"], "labels": item["metadata"]["labels"]}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "spec": spec}


def _as_written(node: Manifest) -> Manifest:
    """What this tool wrote to the node, and whether somebody cordoned it; without what others keep up to date."""
    metadata, spec, status = node["metadata"], node.get("spec", {}), node.get("status", {})
    annotations = metadata.get("annotations", {})
    written = Written.decode(annotations.get(APPLIED, "{}"))
    labels = {key: value for key, value in metadata.get("labels", {}).items() if key in written.labels}
    kept: Manifest = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": STAMP,
            "labels": {**labels, HOSTNAME: STAMP},
            "annotations": {
                key: value for key, value in annotations.items() if key in written.annotations or key == MADE_BY
            },
        },
        "status": {
            "capacity": status.get("capacity", {}),
            "allocatable": status.get("allocatable", {}),
            "conditions": [
                {key: condition[key] for key in ("type", "status", "reason", "message") if key in condition}
                for condition in status.get("conditions", ())
                if condition["type"] in written.conditions | KUBELET_CONDITIONS
            ],
            "nodeInfo": status.get("nodeInfo", {}),
        },
    }
    taints = [
        {key: taint[key] for key in ("key", "value", "effect") if key in taint}
        for taint in spec.get("taints", ())
        if taint_key(taint) in written.taints
    ]
    if taints:
        kept["spec"] = {"taints": taints}
    if spec.get("unschedulable"):
        kept.setdefault("spec", {})["unschedulable"] = True
    return kept
