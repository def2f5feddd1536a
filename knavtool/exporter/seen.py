"""The little that metrics need of a node or pod; what is equal is shared, because there are tens of thousands."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from knavtool.exporter.groups import gang_of
from knavtool.measure.resources import NOTHING, Amounts, amounts
from knavtool.recording.amounts import requests
from knavtool.recording.objects import node_facts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.catalogue.recorded import RecordedKind
    from knavtool.exporter.groups import GangKey
    from knavtool.kube.resource import Manifest

GATED, UNSCHEDULABLE, NEW = "gated", "unschedulable", "new"
PENDING_STATES = (GATED, UNSCHEDULABLE, NEW)
"""Of pods without a node: held by gates, refused by the scheduler, not looked at yet."""
BOUND, ENDED = "bound", "ended"

_ENDED_PHASES = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Tracked:
    """The resources with series of their own, and the node labels that these series have.

    `groups` are the kinds by which pods say that they are a gang.
    """

    resources: tuple[str, ...]
    labels: tuple[str, ...] = ()
    groups: tuple[RecordedKind, ...] = ()


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
        gang=gang_of(manifest, tracked.groups),
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
