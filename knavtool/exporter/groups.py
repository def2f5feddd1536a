"""Which gang a pod belongs to, and how many of its pods have to be bound together, as the records of components say."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from knavtool.catalogue.recorded import find
from knavtool.recording.kinds import name_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from knavtool.catalogue.recorded import RecordedKind
    from knavtool.kube.resource import Manifest
    from knavtool.recording.kinds import RecordedKinds

    GangKey = tuple[str, str]

_SERVICES = ("ReplicaSet", "DaemonSet", "Node")
"""Owners whose pods do not wait for each other."""
_LEAST = "minCount"


def groups_in(kinds: RecordedKinds) -> tuple[RecordedKind, ...]:
    """The kinds that pods name as their gang; first those that say how many pods are enough."""
    named = [kind for kind in kinds.kinds if kind.pods is not None]
    return tuple(sorted(named, key=lambda kind: _LEAST not in kind.values))


def gang_of(pod: Manifest, groups: Sequence[RecordedKind]) -> GangKey | None:
    """What the pods of one gang have in common: a group that they name, otherwise the object that controls them."""
    metadata = pod["metadata"]
    _, name = next(_named(pod, groups), (None, ""))
    if not name:
        owners = metadata.get("ownerReferences") or ()
        owner = next((one for one in owners if one.get("controller")), None)
        if owner is None or owner["kind"] in _SERVICES:
            return None
        name = owner["uid"]
    return sys.intern(metadata.get("namespace", "")), sys.intern(name)


def group_of(pod: Manifest, groups: Sequence[RecordedKind]) -> RecordedKind | None:
    """The kind of the group that a pod names, if its objects say how many pods are enough."""
    return next((kind for kind, _ in _named(pod, groups) if _LEAST in kind.values), None)


def least_of(group: Manifest, kind: RecordedKind) -> int | None:
    """How many pods of a group have to be bound together; None if it does not say."""
    found = find(group, kind.values[_LEAST])
    return found if isinstance(found, int) and found > 0 else None


def _named(pod: Manifest, groups: Sequence[RecordedKind]) -> Iterator[tuple[RecordedKind, str]]:
    for kind in groups:
        if kind.pods is not None and (name := name_in(pod, kind.pods)):
            yield kind, name
