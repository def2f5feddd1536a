"""Feeds the state from the API server for as long as the program runs, whatever becomes of the server meanwhile."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

from knavtool.errors import ClusterError
from knavtool.exporter.groups import group_of, least_of
from knavtool.exporter.seen import node_of, pod_of
from knavtool.kube.connection.backoff import Backoff
from knavtool.kube.gateway import Change
from knavtool.kube.resource import NODES, PODS
from knavtool.kube.watching import key_of
from knavtool.taskgroup import task_group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from knavtool.catalogue.recorded import RecordedKind
    from knavtool.exporter.cluster import Cluster
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest, Resource
    from knavtool.kube.watching import Key

    Take = Callable[[Key, Manifest | None, bool], None]

logger = logging.getLogger(__name__)

RETRY_TIMEOUT = 5.0
"""Seconds for which requests may fail before the server counts as away."""
PAGE = 100
"""Objects that a list should bring at a time: with the usual 500, pages took more memory than all that is known."""
_FORBIDDEN, _NOT_FOUND = 403, 404
_AT_ONCE = 64
"""Events taken in before other work gets a turn."""


class Following:
    """One list and watch of nodes, one of pods, and one of each kind of group that pods name; no objects are kept.

    The gateway's own `retry_timeout` should be `RETRY_TIMEOUT`, which decides when `up` turns, and its pages `PAGE`.
    """

    def __init__(self, gateway: Gateway, cluster: Cluster) -> None:
        self._gateway = gateway
        self._cluster = cluster
        self._current: dict[Resource, bool] = {NODES: False, PODS: False}
        self._groups: set[str] = set()
        self._tasks: asyncio.TaskGroup
        self.complete = asyncio.Event()
        """Set once all that was there at the beginning is known."""

    @property
    def up(self) -> bool:
        """Whether the API server tells of all changes now."""
        return all(self._current.values())

    async def follow(self) -> None:
        """Follow for ever. Raises ClusterError only before everything was known for the first time."""
        cluster = self._cluster
        async with task_group() as self._tasks:
            self._tasks.create_task(self._follow(NODES, lambda: ((("", name)) for name in cluster.nodes), self._node))
            self._tasks.create_task(self._follow(PODS, lambda: cluster.pods, self._pod))

    async def _follow_groups(self, kind: RecordedKind) -> None:
        """Follow the objects that say how many pods of a gang are enough; without them a gang needs all of its pods."""
        known: set[Key] = set()

        def take(key: Key, manifest: Manifest | None, _: bool) -> None:
            least = None if manifest is None else least_of(manifest, kind)
            (known.discard if least is None else known.add)(key)
            self._cluster.gangs.need(key, least)

        backoff = Backoff()
        while True:
            try:
                kinds = (await self._gateway.kinds()).kinds
                wanted = (kind.group, kind.kind)
                found = [one.resource for one in kinds if (one.resource.group, one.resource.kind) == wanted]
                for resource in found:
                    await self._watch(resource, known, take)
                return  # it is not served, or the line above would not have ended
            except ClusterError as error:
                if error.status in (_FORBIDDEN, _NOT_FOUND):
                    logger.info("%s; gangs need all of their pods", error.message)
                    return
            await asyncio.sleep(backoff.next())

    async def _follow(self, resource: Resource, known: Callable[[], Iterable[Key]], take: Take) -> None:
        backoff = Backoff()

        def synced() -> None:
            self._tell(resource, current=True)
            backoff.reset()

        while True:
            try:
                await self._watch(resource, known(), take, synced)
            except ClusterError as error:
                if not self.complete.is_set():
                    raise
                self._tell(resource, current=False, why=error.message)
            await asyncio.sleep(backoff.next())

    async def _watch(
        self, resource: Resource, known: Iterable[Key], take: Take, synced: Callable[[], object] = bool
    ) -> None:
        """Take in all there is and what comes, until the server gives no more; raises ClusterError then."""
        # What is not listed any more went while nobody looked.
        doubted = set(known)
        live = False
        taken = 0
        async with aclosing(self._gateway.watch(resource)) as events:
            async for event in events:
                if event.synced:
                    for key in doubted:
                        take(key, None, live)
                    doubted.clear()
                    live = True
                    synced()
                    continue
                key = key_of(event.object)
                doubted.discard(key)
                take(key, None if event.change is Change.DELETED else event.object, live)
                taken += 1
                if taken % _AT_ONCE == 0:
                    await asyncio.sleep(0)

    def _node(self, key: Key, manifest: Manifest | None, _: bool) -> None:
        node = None if manifest is None else node_of(manifest, self._cluster.tracked)
        self._cluster.take_node(key[1], node)

    def _pod(self, key: Key, manifest: Manifest | None, live: bool) -> None:
        pod = None if manifest is None else pod_of(manifest, self._cluster.tracked)
        self._cluster.take_pod(key, pod, time.monotonic(), late=not live)
        kind = None if manifest is None else group_of(manifest, self._cluster.tracked.groups)
        if kind is not None and kind.title not in self._groups:
            self._groups.add(kind.title)
            self._tasks.create_task(self._follow_groups(kind), name=f"groups-{kind.title}")

    def _tell(self, resource: Resource, *, current: bool, why: str = "") -> None:
        before = self._current[resource]
        self._current[resource] = current
        if current and not before and self.complete.is_set():
            logger.info("%s are up to date again", resource)
        if before and not current:
            logger.warning("%s are as they were last: %s", resource, why)
            if resource is PODS:
                self._cluster.gangs.interrupted()
        if self.up:
            self.complete.set()
