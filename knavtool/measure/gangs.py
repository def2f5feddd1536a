"""Which pods start together: gangs, and the Jobs and other owners whose pods are as good as one."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from knavtool.measure.facts import Facts, Pod, Thing

_DEEPEST = 10
_UID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TOGETHER = 1.0
"""Seconds within which two conditions of an object tell of the same thing."""
_BINDING = 5.0
"""Seconds that it may take to bind the pods of a gang one after another: the default of CheckPlacement's `within`."""


@dataclass(slots=True, eq=False)
class Gang:
    """`root` is the object at the top of the owners, None for pods without one; `groups` are what queues or binds it.

    `size` is how many pods it has at a time, and `least` how many have to be bound together.
    """

    name: str
    kind: str
    root: Thing | None
    pods: list[Pod] = field(default_factory=list)
    groups: list[Thing] = field(default_factory=list)
    queue: str = ""
    size: int = 0
    least: int = 0

    def value(self, name: str) -> object:
        """A value of the first of its groups that has it."""
        return next((thing.values[name] for thing in self.groups if thing.values.get(name) is not None), None)


class Gangs:
    """All gangs of a recording, and the gang of each pod."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._owned: dict[str, list[Thing]] = {}
        self._named: dict[tuple[str, str, str], Thing] = {}
        for thing in facts.things.values():
            if thing.role == "gang":
                self._named[thing.kind, thing.namespace, thing.name] = thing
                if thing.owner_uid:
                    self._owned.setdefault(thing.owner_uid, []).append(thing)
        self._chains: dict[str, tuple[Thing, ...]] = {}
        self._by_key: dict[tuple[str, ...], Gang] = {}
        self.of: dict[str, Gang] = {}
        for pod in facts.pods:
            if (gang := self._gang(pod)) is not None:
                gang.pods.append(pod)
                self.of[pod.uid] = gang
        self.all = sorted(self._by_key.values(), key=lambda gang: (gang.pods[0].created or 0.0, gang.name, gang.kind))
        titles = Counter(gang.name for gang in self.all)
        for gang in self.all:
            self._complete(gang)
            if titles[gang.name] > 1 and gang.groups:
                gang.name += f"/{gang.groups[0].name}"

    def _gang(self, pod: Pod) -> Gang | None:
        chain = self._chain(pod)
        named = [self._named.get((kind, pod.namespace, name)) for kind, name in sorted(pod.gangs.items())]
        groups = [thing for thing in named if thing is not None]
        groups += [group for thing in chain for group in self._owned.get(thing.uid, ()) if group not in groups]
        key: tuple[str, ...]
        own = {thing.uid for thing in chain} | {pod.owner_uid}
        if pod.gangs:
            # Several gangs may belong to one owner, so what the pod says itself comes first.
            kind, name = min(pod.gangs.items(), key=lambda one: (not self._counts(pod.namespace, *one), one))
            key = (kind, pod.namespace, name)
            if chain and any(group.owner_uid in own for group in groups):
                # Made for the owner, with a name that nobody chose.
                kind, name = chain[-1].kind, chain[-1].name
        elif chain or pod.owner_uid:
            kind = chain[-1].kind if chain else pod.owner_kind
            name = chain[-1].name if chain else pod.owner
            key = ("owner", chain[-1].uid if chain else pod.owner_uid)
        else:
            return None
        gang = self._by_key.get(key)
        if gang is None:
            title = f"{pod.namespace}/{name}"
            gang = self._by_key[key] = Gang(title, kind, chain[-1] if chain else None, groups=groups)
        else:
            gang.groups += [group for group in groups if group not in gang.groups]
        return gang

    def _counts(self, namespace: str, kind: str, name: str) -> bool:
        """Whether a group says how many of its pods have to be bound together."""
        group = self._named.get((kind, namespace, name))
        return group is not None and group.values.get("minCount") is not None

    def _chain(self, pod: Pod) -> tuple[Thing, ...]:
        """The owners of a pod, the nearest first, as far as they are recorded."""
        chain = self._chains.get(pod.owner_uid)
        if chain is None:
            things = self._facts.things
            found: list[Thing] = []
            uid = pod.owner_uid
            while uid in things and len(found) < _DEEPEST:
                found.append(things[uid])
                uid = things[uid].owner_uid
            chain = self._chains[pod.owner_uid] = tuple(found)
        return chain

    def _complete(self, gang: Gang) -> None:
        submitted = self._facts.submitted.get(gang.root.uid, (0.0, 0))[1] if gang.root is not None else 0
        gang.size = submitted or _at_a_time(gang.pods)
        least = gang.value("minCount")
        gang.least = int(least) if isinstance(least, int | float) and least > 0 else gang.size
        gang.queue = str(gang.value("queue") or "") or next((pod.queue for pod in gang.pods if pod.queue), "")
        self._evict(gang)

    def _evict(self, gang: Gang) -> None:
        """A queue that takes an admission back has the pods deleted; nothing on the pods says why."""
        moments = sorted(moment for group in gang.groups for moment in group.moments)
        for at, name, holds, reason in moments:
            if name != "evicted" or not holds:
                continue
            said = next(
                (why for when, what, _, why in moments if what == "preempted" and abs(when - at) <= _TOGETHER), ""
            )
            for pod in gang.pods:
                there = pod.bound is not None and pod.bound <= at and pod.deleted is not None and pod.deleted >= at
                if there and pod.ended is None and pod.disrupted is None:
                    pod.disrupted, pod.reason = at, said or reason
                    pod.by = pod.by or self._named_in(said or reason)

    def _named_in(self, text: str) -> str:
        """The object whose uid is in a message, by the name of what owns it."""
        for uid in _UID.findall(text):
            thing = self._facts.things.get(uid)
            if thing is not None:
                owner = self._facts.things.get(thing.owner_uid)
                return owner.title if owner is not None else thing.title
        return ""


def _at_a_time(pods: Iterable[Pod]) -> int:
    """The most pods that there were at a time; one that ended counts on, unless another was made in its place."""
    changes: list[tuple[float, int]] = []
    for pod in pods:
        changes.append((pod.created or 0.0, 1))
        left = pod.deleted if pod.outcome == "succeeded" or pod.ended is None else pod.ended
        if left is not None and pod.outcome != "succeeded":
            changes.append((left, -1))
    count = most = 0
    for _, change in sorted(changes):
        count += change
        most = max(most, count)
    return most


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """When a gang got its first pod, its `least`-th and its last bound, and how long it was bound in part."""

    first: float | None
    enough: float | None
    full: float | None
    partial: float


def progress(gang: Gang, end: float) -> Progress:
    """Follow the bindings of a gang up to the `end` of the recording."""
    first = enough = full = None
    held = 0
    for at, change in sorted(_changes(gang.pods)):
        held += change
        if change > 0:
            first = at if first is None else first
            enough = at if enough is None and held >= gang.least else enough
            full = at if full is None and held >= gang.size else full
    partial = sum(until - since for state, since, until in spans(gang, end) if state == "partial")
    return Progress(first=first, enough=enough, full=full, partial=partial)


def spans(gang: Gang, end: float) -> Iterator[tuple[str, float, float]]:
    """(`waiting`, `partial` or `bound`, from, until) in order, from the gang's first pod to its last one's end.

    A pod that has ended of its own keeps its place, one that was taken away does not. A gang that is bound in part for
    so long only as it takes to bind pods one after another is bound.
    """
    created = min((pod.created for pod in gang.pods if pod.created is not None), default=None)
    if created is None:
        return
    ends = [pod.left for pod in gang.pods]
    until = max(at for at in ends if at is not None) if ends and None not in ends else end
    steps: list[tuple[str, float]] = [("waiting", created)]
    held = 0
    for at, change in sorted(_changes(gang.pods)):
        held += change
        state = "waiting" if held <= 0 else "partial" if held < gang.least else "bound"
        if state != steps[-1][0]:
            steps.append((state, at))
    found: list[tuple[str, float, float]] = []
    for (state, since), (_, then) in zip(steps, [*steps[1:], ("", max(until, steps[-1][1]))], strict=True):
        now = "bound" if state == "partial" and then - since <= _BINDING else state
        if found and found[-1][0] == now:
            found[-1] = (now, found[-1][1], then)
        elif then > since:
            found.append((now, since, then))
    yield from found


def _changes(pods: Iterable[Pod]) -> Iterator[tuple[float, int]]:
    for pod in pods:
        if pod.bound is not None:
            yield pod.bound, 1
            if pod.deleted is not None and pod.ended is None:
                yield pod.deleted, -1


class Queues:
    """Queues and what is set for them: which object holds the quota of a pod."""

    def __init__(self, things: Mapping[str, Thing]) -> None:
        queues = [thing for thing in things.values() if thing.role == "queue"]
        self._by_name = {(thing.namespace, thing.name): thing for thing in queues if not thing.of}
        self._kinds = {(thing.kind, thing.namespace, thing.name): thing for thing in queues}
        self._of_namespace = {thing.namespace: thing for thing in queues if thing.of == "namespace" and thing.quota}
        names: dict[str, set[str]] = {}
        for thing in queues:
            names.setdefault(thing.name, set()).add(thing.namespace)
        self._ambiguous = {name for name, places in names.items() if len(places - {""}) > 1}

    def title(self, queue: str, namespace: str) -> str:
        """The name by which people know it: with its namespace only if another has the same."""
        if not queue:
            return namespace
        return f"{namespace}/{queue}" if queue in self._ambiguous else queue

    def holder(self, queue: str, namespace: str) -> Thing | None:
        """Who holds the quota: the queue, one above it, or an object of the namespace."""
        thing = self._by_name.get((namespace, queue)) or self._by_name.get(("", queue))
        for _ in range(_DEEPEST):
            if thing is None or thing.quota:
                break
            parent = str(thing.values.get("parent") or "")
            above = self._kinds.get((thing.parent_kind or thing.kind, "", parent)) if parent else None
            thing = above or self._kinds.get((thing.parent_kind or thing.kind, thing.namespace, parent))
        return thing if thing is not None and thing.quota else self._of_namespace.get(namespace)
