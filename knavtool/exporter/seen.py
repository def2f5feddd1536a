"""The little that metrics need of a node or pod; what is equal is shared, because there are tens of thousands."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from knavtool.measure.resources import NOTHING, Amounts, amounts
from knavtool.recording.cluster import node_facts, requests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from knavtool.kube.resource import Manifest

    GangKey = tuple[str, str]

GATED, UNSCHEDULABLE, NEW = "gated", "unschedulable", "new"
PENDING_STATES = (GATED, UNSCHEDULABLE, NEW)
"""Of pods without a node: held by gates, refused by the scheduler, not looked at yet."""
BOUND, ENDED = "bound", "ended"

_ENDED_PHASES = ("Succeeded", "Failed")
_GROUPS: tuple[tuple[str, ...], ...] = (
    ("spec", "schedulingGroup", "podGroupName"),
    ("spec", "workloadRef", "name"),
    ("metadata", "labels", "scheduling.x-k8s.io/pod-group"),
    ("metadata", "labels", "kueue.x-k8s.io/pod-group-name"),
    ("metadata", "annotations", "scheduling.k8s.io/group-name"),
    ("metadata", "annotations", "pod-group-name"),
    ("metadata", "labels", "leaderworkerset.sigs.k8s.io/group-key"),
    ("metadata", "labels", "jobset.sigs.k8s.io/jobset-name"),
    ("metadata", "labels", "yunikorn.apache.org/app-id"),
    ("metadata", "labels", "applicationId"),
)
"""Where pods name their group; the first that is there counts."""
_SERVICES = ("ReplicaSet", "DaemonSet", "Node")
"""Owners whose pods do not wait for each other."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """The resources with series of their own, and the node labels that these series have."""

    resources: tuple[str, ...]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """What one or more pods ask for: of each tracked resource in its own unit, and as GPUs, cores and bytes."""

    requests: tuple[float, ...]
    limits: tuple[float, ...]
    amounts: Amounts = NOTHING


@dataclass(frozen=True, slots=True)
class Pod:
    """`state` is one of `PENDING_STATES`, `BOUND` or `ENDED`; `node` is empty for a pod that is not bound.

    A pod is bound as soon as it has a node, also while its phase is still Pending.
    """

    shape: Shape
    state: str
    node: str = ""
    gang: GangKey | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """Values of the tracked labels ("" where there is none), and what is allocatable of each tracked resource.

    `amounts` are nothing unless the node is Ready, as in the measures of a run.
    """

    labels: tuple[str, ...]
    allocatable: tuple[float, ...]
    amounts: Amounts


@lru_cache(maxsize=4096)
def _shape(requests: tuple[float, ...], limits: tuple[float, ...], amounts: Amounts) -> Shape:
    return Shape(requests, limits, amounts)


@lru_cache(maxsize=4096)
def _node(labels: tuple[str, ...], allocatable: tuple[float, ...], amounts: Amounts) -> Node:
    return Node(labels, allocatable, amounts)


def node_of(manifest: Manifest, tracked: Tracked) -> Node:
    """What is needed of a node; an allocatable that is no quantity counts as 0."""
    facts = node_facts(manifest)
    allocatable, labels = facts["allocatable"], facts["labels"] or {}
    return _node(
        tuple(labels.get(name, "") for name in tracked.labels),
        _of(allocatable, tracked),
        amounts(allocatable) if facts["ready"] else NOTHING,
    )


def pod_of(manifest: Manifest, tracked: Tracked) -> Pod:
    """What is needed of a pod."""
    spec = manifest.get("spec", {})
    asked = requests(spec)
    return Pod(
        shape=_shape(_of(asked, tracked), _of(_limits(spec), tracked), amounts(asked)),
        state=_state(manifest),
        node=sys.intern(spec.get("nodeName") or ""),
        gang=_gang(manifest),
    )


def _of(given: Mapping[str, float], tracked: Tracked) -> tuple[float, ...]:
    return tuple(float(given.get(name, 0)) for name in tracked.resources)


def _limits(spec: Mapping[str, Any]) -> dict[str, float]:
    """The limits by the same rule as the requests: where only they are given, they count as such."""
    return requests(
        {
            part: [{"resources": {"limits": (one.get("resources") or {}).get("limits")}} for one in spec.get(part, ())]
            for part in ("containers", "initContainers")
        }
    )


def _state(pod: Manifest) -> str:
    spec, status = pod.get("spec", {}), pod.get("status", {})
    if status.get("phase") in _ENDED_PHASES:
        return ENDED
    if spec.get("nodeName"):
        return BOUND
    if spec.get("schedulingGates"):
        return GATED
    refused = any(one["type"] == "PodScheduled" and one["status"] == "False" for one in status.get("conditions", ()))
    return UNSCHEDULABLE if refused else NEW


def _gang(pod: Manifest) -> GangKey | None:
    """What the pods of one gang have in common: a group that they name, otherwise the object that controls them."""
    metadata = pod["metadata"]
    name = next(_groups(pod), None)
    if name is None:
        owners = metadata.get("ownerReferences") or ()
        owner = next((one for one in owners if one.get("controller")), None)
        if owner is None or owner["kind"] in _SERVICES:
            return None
        name = owner["uid"]
    return sys.intern(metadata.get("namespace", "")), sys.intern(name)


def _groups(pod: Manifest) -> Iterator[str]:
    for path in _GROUPS:
        value: Any = pod
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str) and value:
            yield value
