"""What a run has made or changed in the cluster, written down before it is done, so that it can be undone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from knavtool.kube.resource import NODES
from knavtool.workflow.wording import counted

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator, Mapping

    from knavtool.kube.resource import Manifest, Resource
    from knavtool.render.nodes import NodeSet
    from knavtool.workflow.undoing.patching import Patch


@dataclass(slots=True, kw_only=True)
class Made:
    """An object the run created or was about to create; `uid` is empty while the server has not confirmed it.

    `lost` when no answer came, so that it may be there or not. `intended` is when it was written down, by the clock
    `time.monotonic`.
    """

    resource: Resource
    namespace: str | None
    name: str
    uid: str = ""
    lost: bool = False
    intended: float = field(default_factory=time.monotonic)

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name) as watches key their objects."""
        return self.namespace or "", self.name

    def __str__(self) -> str:
        return f"{self.resource.kind} {'/'.join(filter(None, self.key))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What the claims of one StatefulSet look like; `before` are the uids of those that it did not make."""

    owner: Made
    name: re.Pattern[str]
    labels: Mapping[str, str]
    before: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """An object as it was before the run deleted it."""

    resource: Resource
    namespace: str | None
    manifest: Manifest

    def __str__(self) -> str:
        return f"{self.resource.kind} {'/'.join(filter(None, (self.namespace, self.manifest['metadata']['name'])))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """An object the run changed or was about to change; `patch` gives the changed fields their former values.

    `uid` tells the object from a later one of its name; it is empty if whatever has that name is meant.
    """

    resource: Resource
    namespace: str | None
    name: str
    patch: Patch
    uid: str = ""

    def __str__(self) -> str:
        return f"{self.resource.kind} {'/'.join(filter(None, (self.namespace, self.name)))}"


@dataclass(slots=True, kw_only=True)
class Nodes:
    """Virtual nodes that were created, and all of ours that there were before."""

    created: set[str] = field(default_factory=set)
    before: NodeSet | None = None


@dataclass(slots=True, kw_only=True)
class Group:
    """What one task did; its parts are undone at the same time."""

    title: str
    made: dict[tuple[Resource, str, str], Made] = field(default_factory=dict)
    before: list[Before] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    nodes: Nodes | None = None
    claims: list[Claims] = field(default_factory=list)

    def intend(self, resource: Resource, namespace: str | None, name: str) -> Made:
        """Write an object down before it is created; one that is written down already stays."""
        made = Made(resource=resource, namespace=namespace, name=name)
        return self.made.setdefault((resource, *made.key), made)

    def retract(self, made: Made) -> None:
        """The object was not created after all, or is gone."""
        self.made.pop((made.resource, *made.key), None)
        if self.claims and not made.uid:
            self.claims = [one for one in self.claims if one.owner is not made]


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Groups in the order in which they were done; undone in reverse. `restores` when the run ends with a cleanup."""

    restores: bool = False
    groups: list[Group] = field(default_factory=list)

    def group(self, title: str) -> Group:
        """Open a group."""
        self.groups.append(Group(title=title))
        return self.groups[-1]

    def forget(self, resource: Resource, namespace: str | None, name: str) -> None:
        """An object is gone, because a task deleted it."""
        for group in self.groups:
            group.made.pop((resource, namespace or "", name), None)

    def follow_by_name(self, resource: Resource, namespace: str | None, name: str) -> None:
        """An object is deleted and will come back with another uid: its changes are to be taken back then."""
        for group in self.groups:
            group.changed = [
                replace(one, uid="") if (one.resource, one.namespace, one.name) == (resource, namespace, name) else one
                for one in group.changed
            ]

    def has_made(self, resource: Resource, namespace: str | None, name: str) -> bool:
        """Whether the cleanup will remove the object, so that nothing else of it has to be undone.

        One that a parallel task only tries to create is somebody else's as long as nothing is known of it.
        """
        if resource == NODES and any(group.nodes is not None and name in group.nodes.created for group in self.groups):
            return True
        made = [group.made.get((resource, namespace or "", name)) for group in self.groups]
        return any(one is not None and (one.uid or one.lost) for one in made)

    def made(self) -> Iterator[Made]:
        """Everything that was created and is still there."""
        for group in self.groups:
            yield from group.made.values()

    def summary(self) -> str:
        """`3 Jobs, 2 Nodes`; empty when nothing is left."""
        nodes = sum(len(group.nodes.created) for group in self.groups if group.nodes is not None)
        kinds = [(made.resource.kind, made) for made in self.made()]
        return counted([*kinds, *(("Node", None) for _ in range(nodes))])
