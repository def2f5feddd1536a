"""Remembers virtual nodes as they were written, so that a cleanup can bring them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from knavtool.kube.resource import NODES
from knavtool.nodes.desired import APPLIED, HOSTNAME, KUBELET_CONDITIONS, Written, taint_key
from knavtool.nodes.ownership import SELECTOR
from knavtool.render.nodes import STAMP, NodeBatch, NodeSet

if TYPE_CHECKING:
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest


async def remember_nodes(gateway: Gateway) -> NodeSet:
    """All nodes of ours; equal ones share a prototype, so that thousands cost little."""
    names: dict[bytes, list[str]] = {}
    async for page in gateway.pages(NODES, label_selector=SELECTOR):
        for node in page:
            body = orjson.dumps(_as_written(node), option=orjson.OPT_SORT_KEYS)
            names.setdefault(body, []).append(node["metadata"]["name"])
    return NodeSet(
        batches=tuple(
            NodeBatch(prototype=orjson.loads(body), names=tuple(sorted(members))) for body, members in names.items()
        )
    )


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
            "annotations": {key: value for key, value in annotations.items() if key in written.annotations},
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
