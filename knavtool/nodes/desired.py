"""What nodes should look like, prepared for fast comparison: one `Desired` serves all nodes of an entry."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from knavtool.nodes.ownership import MADE_BY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from knavtool.kube.resource import Manifest
    from knavtool.render.nodes import NodeBatch, NodeSet

APPLIED = "knavtool.io/applied"
"""Annotation that lists the keys this tool wrote, so that a key dropped from the values file is dropped from the node
while keys of other controllers stay. managedFields would not do: it says nothing about status set on creation, and all
taints are one field there."""

HOSTNAME = "kubernetes.io/hostname"
KUBELET_CONDITIONS = frozenset({"Ready", "MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"})
"""Conditions that KWOK keeps up to date in the kubelet's place; the chart only gives their first value."""

CONTROLLER_ANNOTATIONS = frozenset({"node.alpha.kubernetes.io/ttl"})
"""Annotations that kube-controller-manager sets anew as the cluster grows; the chart only gives their first value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The keys this tool wrote to a node."""

    labels: frozenset[str] = frozenset()
    annotations: frozenset[str] = frozenset()
    taints: frozenset[str] = frozenset()
    conditions: frozenset[str] = frozenset()

    def encode(self) -> str:
        """As the annotation's value."""
        parts = {name: sorted(getattr(self, name)) for name in ("labels", "annotations", "taints", "conditions")}
        return json.dumps({name: keys for name, keys in parts.items() if keys}, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> Written:
        """From the annotation's value; an unreadable one counts as nothing written."""
        try:
            parts = json.loads(text)
            return cls(**{name: frozenset(parts.get(name, ())) for name in cls.__slots__})
        except (ValueError, TypeError, AttributeError):
            return cls()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """One entry's nodes; `labels` leaves out the hostname, the only label that differs between them."""

    batch: NodeBatch
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    taints: Mapping[str, Mapping[str, Any]]
    conditions: Mapping[str, Mapping[str, str]]
    capacity: Mapping[str, str]
    allocatable: Mapping[str, str]
    written: Written = field(default_factory=Written)


def prepare(nodes: NodeSet) -> list[Desired]:
    """One Desired per batch, whose nodes also list the keys that were written."""
    return [_desired(batch) for batch in nodes.batches]


def by_name(desired: list[Desired]) -> Iterator[tuple[str, Desired]]:
    """(node name, what it should look like) of every node."""
    for entry in desired:
        for name in entry.batch.names:
            yield name, entry


def taint_key(taint: Mapping[str, Any]) -> str:
    """What identifies a taint: key and effect."""
    return f"{taint['key']}:{taint['effect']}"


def _desired(batch: NodeBatch) -> Desired:
    node: Manifest = json.loads(json.dumps(batch.prototype))
    metadata = node["metadata"]
    labels = metadata.setdefault("labels", {})
    annotations = metadata.setdefault("annotations", {})
    status = node.get("status", {})
    taints = {taint_key(taint): taint for taint in node.get("spec", {}).get("taints", ())}
    conditions = {
        condition["type"]: condition
        for condition in status.get("conditions", ())
        if condition["type"] not in KUBELET_CONDITIONS
    }
    written = Written(
        labels=frozenset(labels),
        # Who made a node stays on it, whatever the next list of nodes says.
        annotations=frozenset(annotations) - CONTROLLER_ANNOTATIONS - {MADE_BY},
        taints=frozenset(taints),
        conditions=frozenset(conditions),
    )
    annotations[APPLIED] = written.encode()
    return Desired(
        batch=batch.with_prototype(node),
        labels={key: value for key, value in labels.items() if key != HOSTNAME},
        annotations={key: value for key, value in annotations.items() if key not in CONTROLLER_ANNOTATIONS},
        taints=taints,
        conditions=conditions,
        capacity=status.get("capacity", {}),
        allocatable=status.get("allocatable", {}),
        written=written,
    )
