"""What watches tell of nodes, owners, gangs, queues and claims, as facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.catalogue.recorded import find
from knavtool.kube.gateway import Change
from knavtool.recording.amounts import number, numbers
from knavtool.recording.pods import words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from knavtool.catalogue.recorded import Moment, Quota, RecordedKind
    from knavtool.kube.gateway import WatchEvent
    from knavtool.kube.resource import Manifest

    Write = Callable[..., None]


class NodeFacts:
    """Writes what a scheduler sees of nodes, whenever it changes."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._nodes: dict[str, dict[str, Any]] = {}

    def take(self, event: WatchEvent, *, late: bool) -> None:
        """Take in a change."""
        node = event.object
        name = node["metadata"]["name"]
        if event.change is Change.DELETED:
            self._nodes.pop(name, None)
            self._write(fact="node", event="deleted", name=name)
            return
        facts = node_facts(node)
        before = self._nodes.get(name)
        if before != facts:
            self._write(
                fact="node", event="seen" if before is None else "changed", name=name, **facts, late=late or None
            )
        self._nodes[name] = facts


class ObjectFacts:
    """Writes what becomes of the objects of one kind: created with its owner, values and moments, changed, deleted."""

    def __init__(self, write: Write, kind: RecordedKind) -> None:
        self._write = write
        self._kind = kind
        self._known: dict[str, tuple[dict[str, Any], dict[str, float], dict[str, str]]] = {}

    def take(self, event: WatchEvent, *, late: bool) -> None:
        """Take in a change."""
        item = event.object
        metadata = item["metadata"]
        uid = metadata["uid"]
        about: dict[str, Any] = {"kind": self._kind.title, "uid": uid, "namespace": metadata.get("namespace", "")}
        about["name"] = metadata["name"]
        if late:
            about["late"] = True
        if event.change is Change.DELETED:
            if self._known.pop(uid, None) is not None:
                self._write(fact="object", event="deleted", **about)
            return
        values = {
            name: value for name, way in self._kind.values.items() if (value := find(item, way)) not in (None, [])
        }
        quota = amounts_of(item, self._kind.quota) if self._kind.quota is not None else {}
        moments = {
            name: reason for name, moment in self._kind.moments.items() if (reason := holds(item, moment)) is not None
        }
        before = self._known.get(uid)
        if before is None:
            owner: Mapping[str, str] = next(iter(_owners(item)), {})
            self._write(
                fact="object",
                event="created",
                **about,
                created=metadata.get("creationTimestamp"),
                role=self._kind.role,
                of="namespace" if self._kind.of_namespace else None,
                parentKind=self._kind.parent,
                ownerKind=owner.get("kind"),
                owner=owner.get("name"),
                ownerUid=owner.get("uid"),
                values=values,
                quota=quota,
            )
        elif before[:2] != (values, quota):
            changed = {name: value for name, value in values.items() if before[0].get(name) != value}
            changed |= {name: None for name in before[0] if name not in values}
            self._write(
                fact="object", event="changed", **about, values=changed, quota=quota if quota != before[1] else {}
            )
        for name in sorted({*moments, *(before[2] if before is not None else ())}):
            was = before is not None and name in before[2]
            if (name in moments) != was:
                about_it = {"moment": name, "holds": name in moments, "reason": moments.get(name, "")}
                self._write(fact="object", event="moment", **about, **about_it)
        self._known[uid] = (values, quota, moments)


def node_facts(node: Manifest) -> dict[str, Any]:
    """What a scheduler sees of a node."""
    metadata, spec, status = node["metadata"], node.get("spec", {}), node.get("status", {})
    ready = next((one["status"] for one in status.get("conditions", ()) if one["type"] == "Ready"), "Unknown")
    return {
        "allocatable": numbers(status.get("allocatable")),
        "labels": metadata.get("labels"),
        "taints": [f"{one['key']}={one.get('value', '')}:{one['effect']}" for one in spec.get("taints", ())],
        "unschedulable": spec.get("unschedulable"),
        "ready": ready == "True",
    }


def amounts_of(item: Manifest, quota: Quota) -> dict[str, float]:
    """The amounts that a queue has, summed over the items of a list."""
    if quota.map:
        given = find(item, quota.map)
        found = numbers(given if isinstance(given, dict) else None)
        return {
            name.removeprefix(quota.prefix): amount for name, amount in found.items() if name.startswith(quota.prefix)
        }
    total: dict[str, float] = {}
    for one in find(item, quota.list):
        if isinstance(one, dict) and isinstance(name := one.get(quota.resource), str):
            total[name] = total.get(name, 0) + number(str(one.get(quota.amount, 0)))
    return total


def holds(item: Manifest, moment: Moment) -> str | None:
    """The reason if it is true now, else None."""
    if moment.condition:
        conditions = (item.get("status") or {}).get("conditions") or ()
        found = next((one for one in conditions if one.get("type") == moment.condition), None)
        return words(found) if found is not None and found.get("status") == "True" else None
    value = find(item, moment.field)
    return str(value) if value in moment.values else None


def _owners(item: Manifest) -> list[Mapping[str, str]]:
    """Its owners, the controller first."""
    references = item["metadata"].get("ownerReferences") or []
    return sorted(references, key=lambda one: not one.get("controller"))
