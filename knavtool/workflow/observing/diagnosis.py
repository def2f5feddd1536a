"""What the cluster itself says about objects and pods that are not as they should be, and about what these own.

Reading them never fails a run and never holds it up: what cannot be read, or not in time, becomes a note.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from knavtool.errors import ClusterError
from knavtool.kube.resource import EVENTS
from knavtool.workflow.observing.conditions import Held, Owned, read_held
from knavtool.workflow.wording import shortened, some

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest
    from knavtool.workflow.observing.conditions import ConditionGroup
    from knavtool.workflow.submission import Submitted

EVENTS_PER_OBJECT = 3
"""The newest events that are kept of each object."""

_GROUPS_SHOWN = 10
_GROUPS_KEPT = 100
_CLUSTER_SCOPED_IN = "default"  # the namespace that events of cluster-scoped objects are written to
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventGroup:
    """Events of one kind of objects that say the same; `age` is in seconds, None when no time is known."""

    type: str
    reason: str
    message: str
    reporter: str
    kind: str
    objects: tuple[str, ...]
    count: int
    age: float | None

    def __str__(self) -> str:
        times = f"{self.count} times, " if self.count > 1 else ""
        ago = f"{times}{self.age:.0f} s ago" if self.age is not None else times.rstrip(", ")
        source = ", ".join(filter(None, (ago, self.reporter)))
        return f"{self.type} {self.reason}: {self.message} ({self.kind} {some(self.objects)}; {source})".replace(
            "; )", ")"
        )

    def data(self) -> dict[str, object]:
        """For machines."""
        return {
            "type": self.type,
            "reason": self.reason,
            "message": self.message,
            "reporter": self.reporter,
            "kind": self.kind,
            "objects": list(self.objects[:100]),
            "count": self.count,
            "age": self.age,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Conditions and events, the newest first; `notes` say why there may be more than are here."""

    conditions: tuple[ConditionGroup, ...] = ()
    events: tuple[EventGroup, ...] = ()
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Lines to put below the message of a failed check; none if there is nothing to tell."""
        return [*_section("conditions:", self.conditions), *_section("last events:", self.events), *self.notes]

    def data(self) -> dict[str, object]:
        """For machines; that they may not be complete is in the message."""
        return {
            "conditions": [group.data() for group in self.conditions[:_GROUPS_KEPT]],
            "events": [group.data() for group in self.events[:_GROUPS_KEPT]],
        }


def _section(title: str, groups: Sequence[object]) -> list[str]:
    shown = [f"  {group}" for group in groups[:_GROUPS_SHOWN]]
    if len(groups) > _GROUPS_SHOWN:
        shown.append(f"  and {len(groups) - _GROUPS_SHOWN} more")
    return [title, *shown] if shown else []


async def diagnose(
    gateway: Gateway,
    objects: Iterable[Submitted] = (),
    pods: Iterable[Manifest] = (),
    *,
    timeout: float = 2.0,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Diagnosis:
    """What was last said about objects, their pods, what owns these and what they own.

    Conditions are those of the objects and of what they and the pods own, at any depth. Of events one list per
    namespace, with a field selector where it is about one object. Equal ones of several objects are one group. Ages are
    by this machine's clock. `timeout` in seconds is for the conditions, and once more for the events. Never raises
    ClusterError.
    """
    objects, pods = list(objects), list(pods)
    wanted = _wanted(objects, pods)
    held = Held()
    found: _Found = {}
    notes: list[str] = []
    try:
        async with asyncio.timeout(timeout):
            uids = [item.uid for item in objects] + [pod["metadata"].get("uid", "") for pod in pods]
            places = {item.namespace for item in objects} | {pod["metadata"].get("namespace") for pod in pods}
            single = [
                Owned(resource=item.resource, namespace="", name=item.name, uid=item.uid)
                for item in objects
                if item.namespace is None
            ]
            await read_held(gateway, held, uids, sorted(place for place in places if place), single)
    except TimeoutError:
        notes.append(f"not all objects that belong to these were looked at within {timeout:g} s")
    except ClusterError as error:
        notes.append(f"what belongs to these cannot be read: {error.message}")
    for owned in held.owned:
        wanted.setdefault(owned.namespace, _Involved()).add(owned.resource.kind, owned.name, owned.uid)
    try:
        async with asyncio.timeout(timeout):
            for namespace, involved in wanted.items():
                await _read(gateway, namespace, involved, found)
    except TimeoutError:
        notes.append(f"there may be more events: not all were read within {timeout:g} s")
    except ClusterError as error:
        notes.append(f"events cannot be read: {error.message}")
    newest = [one for seen in found.values() for one in seen]
    events = tuple(_grouped(newest, now()))
    return Diagnosis(conditions=tuple(held.groups()), events=events, notes=tuple(notes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The part of one event that is kept: a namespace may hold many thousands."""

    object: tuple[str, str]
    kind: str
    type: str
    reason: str
    message: str
    reporter: str
    count: int
    at: datetime


_Found = dict[tuple[str, str, str], list[_Seen]]
"""The newest events by kind, namespace and name of what they are about."""


@dataclass(slots=True)
class _Involved:
    """What is asked for in one namespace: names by kind, and the uids that are known of them."""

    names: set[tuple[str, str]] = field(default_factory=set)
    uids: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def add(self, kind: str, name: str, uid: str) -> None:
        self.names.add((kind, name))
        if uid:
            self.uids.setdefault((kind, name), set()).add(uid)

    def has(self, reference: Mapping[str, Any]) -> bool:
        """Whether an event is about one of them, and not about an earlier object of the same name."""
        key = (reference.get("kind", ""), reference.get("name", ""))
        known, uid = self.uids.get(key), reference.get("uid")
        return key in self.names and (known is None or not uid or uid in known)

    def selector(self) -> str:
        """A field selector if there is one object only."""
        if len(self.names) != 1:
            return ""
        ((kind, name),) = self.names
        return f"involvedObject.kind={kind},involvedObject.name={name}"


def _wanted(objects: Iterable[Submitted], pods: Iterable[Manifest]) -> dict[str, _Involved]:
    wanted: dict[str, _Involved] = {}
    for item in objects:
        place = wanted.setdefault(item.namespace or _CLUSTER_SCOPED_IN, _Involved())
        place.add(item.resource.kind, item.name, item.uid)
    for pod in pods:
        metadata = pod["metadata"]
        place = wanted.setdefault(metadata.get("namespace") or _CLUSTER_SCOPED_IN, _Involved())
        place.add("Pod", metadata["name"], metadata.get("uid", ""))
        for owner in metadata.get("ownerReferences", ()):
            place.add(owner["kind"], owner["name"], owner["uid"])
    return wanted


async def _read(gateway: Gateway, namespace: str, involved: _Involved, found: _Found) -> None:
    """Keep the newest few events of each object."""
    async for page in gateway.pages(EVENTS, namespace=namespace, field_selector=involved.selector()):
        for event in page:
            if not involved.has(event.get("involvedObject", {})):
                continue
            one = _seen(event)
            kept = found.setdefault((one.kind, *one.object), [])
            kept.append(one)
            if len(kept) > EVENTS_PER_OBJECT:
                kept.remove(min(kept, key=lambda seen: seen.at))


def _seen(event: Manifest) -> _Seen:
    reference = event.get("involvedObject", {})
    series = event.get("series") or {}
    return _Seen(
        object=(reference.get("namespace", ""), reference.get("name", "")),
        kind=reference.get("kind", ""),
        type=event.get("type", "Normal"),
        reason=event.get("reason", ""),
        message=shortened(event.get("message")),
        reporter=event.get("reportingComponent") or (event.get("source") or {}).get("component", ""),
        count=int(series.get("count") or event.get("count") or 1),
        at=_newest(
            series.get("lastObservedTime"),
            event.get("lastTimestamp"),
            event.get("eventTime"),
            event["metadata"].get("creationTimestamp"),
        ),
    )


def _newest(*times: str | None) -> datetime:
    """The latest of the times that an event may have; which of them are set depends on who wrote it."""
    return max((datetime.fromisoformat(time) for time in times if time), default=_NEVER)


def _grouped(found: Collection[_Seen], now: datetime) -> list[EventGroup]:
    """Equal events of several objects together: warnings before the rest, and the newest first.

    Of events that are no warnings the newest message stands for all, because each names the object or its node.
    """
    groups: dict[tuple[str, ...], list[_Seen]] = {}
    for one in found:
        message = "" if one.type == "Normal" else one.message
        groups.setdefault((one.type, one.reason, message, one.reporter, one.kind), []).append(one)
    ordered = sorted(groups.values(), key=lambda group: max(one.at for one in group), reverse=True)
    ordered.sort(key=lambda group: group[0].type == "Normal")
    return [_group(group, now) for group in ordered]


def _group(seen: list[_Seen], now: datetime) -> EventGroup:
    last = max(seen, key=lambda one: one.at)
    return EventGroup(
        type=last.type,
        reason=last.reason,
        message=last.message,
        reporter=last.reporter,
        kind=last.kind,
        objects=tuple(dict.fromkeys("/".join(filter(None, one.object)) for one in seen)),
        count=sum(one.count for one in seen),
        age=round(max((now - last.at).total_seconds(), 0.0), 1) if last.at != _NEVER else None,
    )
