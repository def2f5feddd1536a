"""Why something is held: the conditions of objects and of what they own.

The truth about a queued Job is in a Workload that a controller made for it, that about a gang in its PodGroup. Which
kinds these are depends on the cluster, so every kind that has a status is looked at, in the namespaces of the objects.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from knavtool.kube.concurrency import for_each
from knavtool.workflow.wording import shortened, some

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping

    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest, Resource

_TOLD_BY_CHECKS = "Pod"
"""A kind whose conditions the checks tell themselves; what its objects own is asked for all the same."""
_READ_ONE_BY_ONE = 10
"""Up to so many objects of a kind in a namespace are read singly, more by a list of all."""
_TROUBLE = re.compile(
    r"fail|suspend|unschedul|evict|preempt|disrupt|block|error|invalid|deactivat|requeue|pressure|unavailable",
    re.IGNORECASE,
)
"""Condition types that say something when they are true; of all others it is the false ones that do."""
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """An object of which conditions are read; what one of those in question owns, at any depth."""

    resource: Resource
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionGroup:
    """One condition of several objects of a kind."""

    kind: str
    type: str
    status: str
    reason: str
    message: str
    objects: tuple[str, ...]

    def __str__(self) -> str:
        words = ": ".join(filter(None, (self.reason, self.message)))
        return f"{self.kind} {some(self.objects)}: {self.type}={self.status}" + (f" ({words})" if words else "")

    def data(self) -> dict[str, object]:
        """For machines."""
        return {
            "kind": self.kind,
            "type": self.type,
            "status": self.status,
            "reason": self.reason,
            "message": self.message,
            "objects": list(self.objects[:100]),
        }


@dataclass(slots=True)
class Held:
    """What is known so far; it is filled while it is read, so that a time-out keeps what there is.

    `owned` are the objects below those that were asked about.
    """

    owned: list[Owned] = field(default_factory=list)
    _seen: list[tuple[datetime, ConditionGroup]] = field(default_factory=list)

    def add(self, kind: str, live: Manifest) -> None:
        """Take the conditions of one object that say why it does not get on."""
        metadata = live["metadata"]
        name = "/".join(filter(None, (metadata.get("namespace", ""), metadata["name"])))
        for condition in _telling((live.get("status") or {}).get("conditions")):
            group = ConditionGroup(
                kind=kind,
                type=condition["type"],
                status=condition["status"],
                reason=str(condition.get("reason") or ""),
                message=shortened(condition.get("message")),
                objects=(name,),
            )
            self._seen.append((_time(condition), group))

    def groups(self) -> list[ConditionGroup]:
        """Equal conditions of several objects together, the newest first."""
        found: dict[tuple[str, ...], list[tuple[datetime, ConditionGroup]]] = {}
        for at, one in self._seen:
            found.setdefault((one.kind, one.type, one.status, one.reason, one.message), []).append((at, one))
        ordered = sorted(found.values(), key=lambda group: max(at for at, _ in group), reverse=True)
        return [_together([one for _, one in group]) for group in ordered]


async def read_held(
    gateway: Gateway, held: Held, uids: Collection[str], namespaces: Iterable[str], cluster_scoped: Iterable[Owned]
) -> None:
    """Fill `held` with what the objects with these uids own, and with the conditions of all of them.

    Costs a list of metadata for each kind that has a status, in each namespace. What may not be listed is left out, and
    so is what objects that are in no namespace own.
    """

    async def read_single(one: Owned) -> None:
        live = await gateway.get(one.resource, one.name)
        if live["metadata"]["uid"] == one.uid:
            held.add(one.resource.kind, live)

    await for_each(list(cluster_scoped)[:_READ_ONE_BY_ONE], read_single)
    if not uids:
        return
    served = await gateway.kinds()
    kinds = [
        one.resource
        for one in served.kinds
        if one.resource.namespaced and {"get", "list"} <= one.verbs and "status" in one.subresources
    ]
    places = [(kind, namespace) for namespace in namespaces for kind in kinds]
    listed: dict[tuple[Resource, str], list[Manifest]] = {}

    async def look(place: tuple[Resource, str]) -> None:
        kind, namespace = place
        async for page in gateway.pages(kind, namespace=namespace, metadata_only=True):
            listed.setdefault(place, []).extend(page)

    # A kind that cannot be listed hides its own objects only.
    await for_each(places, look)
    family = set(uids)
    while found := [
        (place, item)
        for place, items in listed.items()
        for item in items
        if item["metadata"]["uid"] not in family and family & set(_owners(item))
    ]:
        for (kind, namespace), item in found:
            metadata = item["metadata"]
            family.add(metadata["uid"])
            held.owned.append(Owned(resource=kind, namespace=namespace, name=metadata["name"], uid=metadata["uid"]))
    wanted = {
        place: names
        for place, items in listed.items()
        if place[0].kind != _TOLD_BY_CHECKS
        and (names := [item["metadata"]["name"] for item in items if item["metadata"]["uid"] in family])
    }

    async def read(place: tuple[Resource, str]) -> None:
        async for live in _whole(gateway, *place, wanted[place]):
            if live["metadata"]["uid"] in family:
                held.add(place[0].kind, live)

    await for_each(wanted, read)


async def _whole(gateway: Gateway, kind: Resource, namespace: str, names: list[str]) -> AsyncIterator[Manifest]:
    if len(names) <= _READ_ONE_BY_ONE:
        for name in names:
            yield await gateway.get(kind, name, namespace=namespace)
        return
    async for page in gateway.pages(kind, namespace=namespace):
        for item in page:
            yield item


def _owners(item: Manifest) -> Iterator[str]:
    return (owner["uid"] for owner in item["metadata"].get("ownerReferences") or ())


def _telling(conditions: Any) -> Iterator[Mapping[str, Any]]:
    """The conditions that tell why something does not get on. Other projects write other things at that place."""
    for one in conditions if isinstance(conditions, list) else ():
        if not isinstance(one, dict) or not isinstance(one.get("type"), str):
            continue
        if one.get("status") == ("True" if _TROUBLE.search(one["type"]) else "False"):
            yield one


def _time(condition: Mapping[str, Any]) -> datetime:
    text = condition.get("lastTransitionTime")
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else _NEVER
    except ValueError:
        return _NEVER


def _together(group: list[ConditionGroup]) -> ConditionGroup:
    return replace(group[0], objects=tuple(dict.fromkeys(name for one in group for name in one.objects)))
