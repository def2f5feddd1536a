"""What a run has made or changed in the cluster, written down before it is done, so that it can be undone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.errors import ClusterError
from knavtool.workflow.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest, Resource
    from knavtool.render.nodes import NodeSet

_GRACE_SECONDS = 10.0
"""How long an interrupted run waits for the answer to a request that is under way."""


@dataclass(slots=True, kw_only=True)
class Made:
    """An object the run created or was about to create; `uid` is empty while the server has not confirmed it."""

    resource: Resource
    namespace: str | None
    name: str
    uid: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name) as watches key their objects."""
        return self.namespace or "", self.name

    def __str__(self) -> str:
        return f"{self.resource.kind} {'/'.join(filter(None, self.key))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """An object as it was before the run changed or deleted it."""

    resource: Resource
    namespace: str | None
    manifest: Manifest


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
    nodes: Nodes | None = None

    def intend(self, resource: Resource, namespace: str | None, name: str) -> Made:
        """Write an object down before it is created."""
        made = Made(resource=resource, namespace=namespace, name=name)
        self.made[resource, *made.key] = made
        return made

    def retract(self, made: Made) -> None:
        """The object was not created after all, or is gone."""
        self.made.pop((made.resource, *made.key), None)

    async def create(self, gateway: Gateway, made: Made, body: Manifest | bytes) -> Made:
        """Create an intended object and write down that it is there.

        A cancelled caller still gets the server's answer noted: a request that was cut off would leave an object
        of which nobody knows whether this run made it. Raises ClusterError.
        """
        request = asyncio.ensure_future(gateway.create(made.resource, body, namespace=made.namespace))
        try:
            answer = await asyncio.shield(request)
        except asyncio.CancelledError:
            await asyncio.wait([request], timeout=_GRACE_SECONDS)
            if not request.done():
                request.cancel()
            elif not request.cancelled():
                self._settle(made, request)
            raise
        except ClusterError as error:
            self._refused(made, error)
            raise
        made.uid = answer["metadata"]["uid"]
        return made

    def _settle(self, made: Made, request: asyncio.Future[Manifest]) -> None:
        error = request.exception()
        if error is None:
            made.uid = request.result()["metadata"]["uid"]
        elif isinstance(error, ClusterError):
            self._refused(made, error)

    def _refused(self, made: Made, error: ClusterError) -> None:
        # Without an answer the object may exist; only a refusal says that it does not.
        if 400 <= error.status < 500:
            self.retract(made)


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

    def made(self) -> Iterator[Made]:
        """Everything that was created and is still there."""
        for group in self.groups:
            yield from group.made.values()

    def summary(self) -> str:
        """`3 Jobs, 2 Nodes`; empty when nothing is left."""
        nodes = sum(len(group.nodes.created) for group in self.groups if group.nodes is not None)
        kinds = [(made.resource.kind, made) for made in self.made()]
        return counted([*kinds, *(("Node", None) for _ in range(nodes))])
