"""How pods name their gang, and the objects that say how many pods of a gang have to be bound together."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.kube.resource import Manifest

    GangKey = tuple[str, str]
    Path = tuple[str, ...]

POD_GROUP = "PodGroup"
_MIN_MEMBER = ("spec", "minMember")
_SERVICES = ("ReplicaSet", "DaemonSet", "Node")
"""Owners whose pods do not wait for each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """`name` is where pods have the name of their group.

    If the group is a PodGroup of the API group `api`, it has `least` pods that have to be bound together.
    """

    name: Path
    api: str = ""
    least: Path = _MIN_MEMBER


GROUPINGS = (
    Grouping(
        name=("spec", "schedulingGroup", "podGroupName"),
        api="scheduling.k8s.io",
        least=("spec", "schedulingPolicy", "gang", "minCount"),
    ),
    Grouping(name=("metadata", "labels", "scheduling.x-k8s.io/pod-group"), api="scheduling.x-k8s.io"),
    Grouping(name=("metadata", "labels", "kueue.x-k8s.io/pod-group-name")),
    Grouping(name=("metadata", "annotations", "scheduling.k8s.io/group-name"), api="scheduling.volcano.sh"),
    Grouping(name=("metadata", "annotations", "pod-group-name"), api="scheduling.run.ai"),
    Grouping(name=("metadata", "labels", "leaderworkerset.sigs.k8s.io/group-key")),
    Grouping(name=("metadata", "labels", "jobset.sigs.k8s.io/jobset-name")),
    Grouping(name=("metadata", "labels", "yunikorn.apache.org/app-id")),
    Grouping(name=("metadata", "labels", "applicationId")),
)
"""The first that a pod has counts."""


def gang_of(pod: Manifest) -> GangKey | None:
    """What the pods of one gang have in common: a group that they name, otherwise the object that controls them."""
    metadata = pod["metadata"]
    _, name = next(_named(pod), (None, ""))
    if not name:
        owners = metadata.get("ownerReferences") or ()
        owner = next((one for one in owners if one.get("controller")), None)
        if owner is None or owner["kind"] in _SERVICES:
            return None
        name = owner["uid"]
    return sys.intern(metadata.get("namespace", "")), sys.intern(name)


def grouping_of(pod: Manifest) -> Grouping | None:
    """How a pod names its group, if it names one."""
    return next((grouping for grouping, _ in _named(pod)), None)


def least_of(group: Manifest, grouping: Grouping) -> int | None:
    """How many pods of a group have to be bound together; None if it does not say."""
    found = _at(group, grouping.least)
    return found if isinstance(found, int) and found > 0 else None


def _named(pod: Manifest) -> Iterator[tuple[Grouping, str]]:
    for grouping in GROUPINGS:
        found = _at(pod, grouping.name)
        if isinstance(found, str) and found:
            yield grouping, found


def _at(item: Manifest, path: Path) -> Any:
    found: Any = item
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found
