"""Feeds the state from the API server for as long as the program runs, whatever becomes of the server meanwhile."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

from knavtool.errors import ClusterError
from knavtool.exporter.seen import node_of, pod_of
from knavtool.kube.connection.backoff import Backoff
from knavtool.kube.gateway import Change
from knavtool.kube.resource import NODES, PODS
from knavtool.kube.watching import key_of
from knavtool.taskgroup import task_group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
_AT_ONCE = 64
"""Events taken in before other work gets a turn."""


class Following:
    """One list and watch of nodes and one of pods; the objects themselves are not kept.

    The gateway's own `retry_timeout` should be `RETRY_TIMEOUT`, which decides when `up` turns, and its pages `PAGE`.
    """

    def __init__(self, gateway: Gateway, cluster: Cluster) -> None:
        self._gateway = gateway
        self._cluster = cluster
        self._current: dict[Resource, bool] = {NODES: False, PODS: False}
        self.complete = asyncio.Event()
        """Set once all that was there at the beginning is known."""

    @property
    def up(self) -> bool:
        """Whether the API server tells of all changes now."""
        return all(self._current.values())

    async def follow(self) -> None:
        """Follow for ever. Raises ClusterError only before everything was known for the first time."""
        cluster = self._cluster
        async with task_group() as group:
            group.create_task(self._follow(NODES, lambda: ((("", name)) for name in cluster.nodes), self._node))
            group.create_task(self._follow(PODS, lambda: cluster.pods, self._pod))

    async def _follow(self, resource: Resource, known: Callable[[], Iterable[Key]], take: Take) -> None:
        backoff = Backoff()
        while True:
            # What is not listed any more went while nobody looked.
            doubted = set(known())
            live = False
            try:
                async with aclosing(self._gateway.watch(resource)) as events:
                    taken = 0
                    async for event in events:
                        if event.synced:
                            for key in doubted:
                                take(key, None, live)
                            doubted.clear()
                            live = True
                            self._tell(resource, current=True)
                            backoff.reset()
                            continue
                        key = key_of(event.object)
                        doubted.discard(key)
                        take(key, None if event.change is Change.DELETED else event.object, live)
                        taken += 1
                        if taken % _AT_ONCE == 0:
                            await asyncio.sleep(0)
            except ClusterError as error:
                if not self.complete.is_set():
                    raise
                self._tell(resource, current=False, why=error.message)
            await asyncio.sleep(backoff.next())

    def _node(self, key: Key, manifest: Manifest | None, _: bool) -> None:
        node = None if manifest is None else node_of(manifest, self._cluster.tracked)
        self._cluster.take_node(key[1], node)

    def _pod(self, key: Key, manifest: Manifest | None, live: bool) -> None:
        pod = None if manifest is None else pod_of(manifest, self._cluster.tracked)
        self._cluster.take_pod(key, pod, time.monotonic(), late=not live)

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
