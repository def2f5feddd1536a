"""What Kubernetes demands of virtual nodes beyond the shape of a values file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.documents.complaints import nearest
from knavtool.documents.devices import device_faults
from knavtool.documents.entries import VIRTUAL_LABEL
from knavtool.documents.quantity import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from knavtool.documents.complaints import Complaint
    from knavtool.documents.entries import NodeEntry
    from knavtool.documents.places import Location

# Names of nodes may have 253 characters, but the label kubernetes.io/hostname holds the name too.
_LONGEST_NAME = 63
# More in one file than any control plane holds; a slip of the keyboard must not fill the memory.
_MOST_NODES = 100_000
# The API server takes 256 KiB; the rest is for annotations of the tool and of controllers.
_LARGEST_ANNOTATIONS = 240 * 1024
_LONGEST_PREFIX = 253
_FIXED: dict[str, dict[str, tuple[str | None, str]]] = {
    "labels": {
        "kubernetes.io/hostname": (None, "the node's name"),
        VIRTUAL_LABEL[0]: (VIRTUAL_LABEL[1], "'kwok', which tells virtual nodes from real ones"),
        "app.kubernetes.io/managed-by": (None, "the tool that made the node"),
    },
    "annotations": {"kwok.x-k8s.io/node": ("fake", "'fake', which makes KWOK keep the node alive")},
}
_WHOLE = frozenset(
    {
        *("pods", "services", "secrets", "configmaps", "persistentvolumeclaims", "resourcequotas"),
        *("replicationcontrollers", "services.nodeports", "services.loadbalancers"),
    }
)
"""What the API server counts in whole numbers, besides extended resources."""


def entry_faults(place: Location, entry: NodeEntry, presets: Sequence[str]) -> Iterator[Complaint]:
    """What is wrong with one entry."""
    if not entry.resources and entry.type not in presets:
        message = (
            f"{entry.type!r} is no preset, so it needs resources (cpu, memory, pods, ...)"
            f"{nearest(entry.type, presets)}; presets: {', '.join(presets)}"
        )
        yield (*place, "type"), message
    yield from _key_faults(place, entry)
    yield from _resource_faults(place, entry)
    if entry.devices is not None:
        yield from device_faults((*place, "resources", "dra"), entry.devices, entry.resources)
    if sum(len(key.encode()) + len(value.encode()) for key, value in entry.annotations.items()) > _LARGEST_ANNOTATIONS:
        yield (*place, "annotations"), f"together larger than {_LARGEST_ANNOTATIONS // 1024} KiB"
    for name, keys in (
        ("conditions", [condition["type"] for condition in entry.conditions]),
        ("taints", [f"{taint['key']}:{taint['effect']}" for taint in entry.taints]),
    ):
        for number, key in enumerate(keys):
            if key in keys[:number]:
                yield (*place, name, number), f"{key} is given twice"


def _key_faults(place: Location, entry: NodeEntry) -> Iterator[Complaint]:
    for name, given in (("labels", entry.labels), ("annotations", entry.annotations)):
        for key, value in given.items():
            fixed, what = _FIXED[name].get(key, (value, ""))
            if value != fixed:
                yield (*place, name, key), f"the {name[:-1]} {key} is always {what}; leave it out"
            if len(key.rpartition("/")[0]) > _LONGEST_PREFIX:
                yield (*place, name, key), f"before the slash at most {_LONGEST_PREFIX} characters are allowed"


def _resource_faults(place: Location, entry: NodeEntry) -> Iterator[Complaint]:
    for name, quantity in entry.resources.items():
        whole = name in _WHOLE or ("/" in name and "kubernetes.io/" not in name)
        if whole and parse(quantity).denominator != 1:
            yield (*place, "resources", name), f"{quantity!r} is not a whole number; {name} is counted, not divided"


def name_faults(entries: Sequence[tuple[Location, NodeEntry]]) -> Iterator[Complaint]:
    """Names that are too long or that two entries would give, and too many nodes in all."""
    owners: dict[str, tuple[Location, NodeEntry]] = {}
    counters: dict[str, int] = {}
    total = 0
    for place, entry in entries:
        source = (*place, "namePrefix" if entry.name_prefix else "type")
        owner_place, owner = owners.setdefault(entry.prefix, (place, entry))
        if owner.type != entry.type:
            message = (
                f"nodes of type {entry.type!r} would be called {entry.prefix}-0, {entry.prefix}-1, ... as those of "
                f"entry {owner_place[-1]} (type {owner.type!r}) are; give one of them another namePrefix"
            )
            yield source, message
        counters[entry.prefix] = counters.get(entry.prefix, 0) + entry.count
        last = f"{entry.prefix}-{max(counters[entry.prefix] - 1, 0)}"
        if len(last) > _LONGEST_NAME:
            yield source, f"the node name {last!r} has {len(last)} characters; expected at most {_LONGEST_NAME}"
        if total <= _MOST_NODES < total + entry.count:
            yield (*place, "count"), f"these are {total + entry.count} nodes up to here; expected at most {_MOST_NODES}"
        total += entry.count
