"""The smallest patches that turn a node into what it should be. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from knavtool.documents.quantity import equal
from knavtool.nodes.desired import APPLIED, HOSTNAME, Desired, Written, taint_key
from knavtool.nodes.ownership import HELM_NAMESPACE, HELM_RELEASE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.kube.resource import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What to send to one node; `lines` say it to people, without its name, so that equal changes can be grouped.

    `main` is a JSON merge patch, `status` a strategic merge patch for the status subresource; None means nothing.
    """

    name: str
    main: Manifest | None
    status: Manifest | None
    lines: tuple[str, ...]


_decode = lru_cache(maxsize=1024)(Written.decode)
_same_quantity = lru_cache(maxsize=4096)(equal)


def change(desired: Desired, node: Manifest) -> Change | None:
    """The change one node needs, or None."""
    name = node["metadata"]["name"]
    lines: list[str] = []
    main = _main(desired, node, name, lines)
    status = _status(desired, node.get("status") or {}, _written(node), lines)
    if not main and not status:
        return None
    return Change(name=name, main=main or None, status={"status": status} if status else None, lines=tuple(lines))


def _written(node: Manifest) -> Written:
    return _decode((node["metadata"].get("annotations") or {}).get(APPLIED, ""))


def _main(desired: Desired, node: Manifest, name: str, lines: list[str]) -> Manifest:
    metadata = node["metadata"]
    before = _written(node)
    patch: Manifest = {}
    labels = _entries("labels", desired.labels, metadata.get("labels") or {}, before.labels, lines)
    if (metadata.get("labels") or {}).get(HOSTNAME) != name:
        labels[HOSTNAME] = name
        lines.append(f"labels.{HOSTNAME}: set to the node's name")
    # Helm's marks of ownership go when a node is taken over.
    helm = frozenset({HELM_RELEASE, HELM_NAMESPACE})
    actual = metadata.get("annotations") or {}
    annotations = _entries("annotations", desired.annotations, actual, before.annotations | helm, lines)
    fields = {key: value for key, value in (("labels", labels), ("annotations", annotations)) if value}
    if fields:
        patch["metadata"] = fields
    taints = _taints(desired, (node.get("spec") or {}).get("taints") or [], before, lines)
    if taints is not None:
        patch["spec"] = {"taints": taints or None}
        # The list of taints is replaced whole, so a change by a controller in between must be noticed.
        patch.setdefault("metadata", {})["resourceVersion"] = metadata.get("resourceVersion", "")
    return patch


def _entries(
    field: str,
    desired: Mapping[str, str],
    actual: Mapping[str, str],
    before: frozenset[str],
    lines: list[str],
) -> dict[str, str | None]:
    """The merge patch of a map of strings: what is missing or different, None for what we wrote once and dropped."""
    patch: dict[str, str | None] = {}
    for key, value in desired.items():
        if actual.get(key) != value:
            patch[key] = value
            if key != APPLIED:
                lines.append(f"{field}.{key}: {_shown(actual.get(key))} -> {value!r}")
    for key in sorted(before - desired.keys()):
        if key in actual and key != HOSTNAME:
            patch[key] = None
            lines.append(f"{field}.{key}: {actual[key]!r} -> removed")
    return patch


def _taints(
    desired: Desired, actual: list[dict[str, Any]], before: Written, lines: list[str]
) -> list[Mapping[str, Any]] | None:
    """The new list of taints, or None if it stays; taints of others are kept."""
    present = {taint_key(taint): taint for taint in actual}
    kept = {key: taint for key, taint in present.items() if key not in before.taints or key in desired.taints}
    wanted = {**kept, **desired.taints}
    if {key: taint.get("value", "") for key, taint in wanted.items()} == {
        key: taint.get("value", "") for key, taint in present.items()
    }:
        return None
    lines.append(f"taints: {sorted(present) or 'none'} -> {sorted(wanted) or 'none'}")
    return list(wanted.values())


def _status(desired: Desired, actual: Manifest, before: Written, lines: list[str]) -> Manifest:
    patch: Manifest = {}
    for field, wanted in (("capacity", desired.capacity), ("allocatable", desired.allocatable)):
        resources = _resources(field, wanted, actual.get(field) or {}, lines)
        if resources:
            patch[field] = resources
    present = {condition["type"]: condition for condition in actual.get("conditions") or ()}
    conditions: list[Mapping[str, Any]] = []
    for kind, condition in desired.conditions.items():
        found = present.get(kind, {})
        if any(found.get(key, "") != condition.get(key, "") for key in ("status", "reason", "message")):
            conditions.append(condition)
            lines.append(f"conditions.{kind}: {_shown(found.get('status'))} -> {condition['status']!r}")
    for kind in sorted(before.conditions - desired.conditions.keys()):
        if kind in present:
            conditions.append({"type": kind, "$patch": "delete"})
            lines.append(f"conditions.{kind}: removed")
    if conditions:
        patch["conditions"] = conditions
    return patch


def _resources(
    field: str, desired: Mapping[str, str], actual: Mapping[str, str], lines: list[str]
) -> dict[str, str | None]:
    """Like `_entries` with quantities compared as numbers; nothing but this tool writes them, there is no kubelet."""
    patch: dict[str, str | None] = {}
    for key, value in desired.items():
        found = actual.get(key)
        if found is None or not _same_quantity(found, value):
            patch[key] = value
            lines.append(f"{field}.{key}: {_shown(found)} -> {value!r}")
    for key in sorted(actual.keys() - desired.keys()):
        patch[key] = None
        lines.append(f"{field}.{key}: {actual[key]!r} -> removed")
    return patch


def _shown(value: str | None) -> str:
    return "none" if value is None else repr(value)
