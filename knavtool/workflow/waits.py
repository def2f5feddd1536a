"""Waiting for objects and their pods to be gone, at a cost per change that does not grow with their number."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol

from knavtool.errors import DeadlineExceeded
from knavtool.kube.gateway import Change
from knavtool.kube.resource import JOBS, PODS
from knavtool.kube.watching import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from knavtool.kube.resource import Resource
    from knavtool.kube.store import Watcher


class Known(Protocol):
    """An object that was made or submitted."""

    @property
    def resource(self) -> Resource:
        """Its kind."""

    @property
    def namespace(self) -> str | None:
        """Its namespace, None for a cluster-scoped kind."""

    @property
    def uid(self) -> str:
        """What tells it from a later object of the same name; empty when it is not known."""

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""


async def until_gone(
    watcher: Watcher,
    objects: Collection[Known],
    *,
    timeout: float | None,
    gone: Callable[[Known], None] = lambda _: None,
) -> None:
    """Wait until none of the objects exists; `gone` is told of each once. Raises DeadlineExceeded."""
    places: dict[tuple[Resource, str | None], dict[tuple[str, str], Known]] = {}
    for item in objects:
        places.setdefault((item.resource, item.namespace), {})[item.key] = item
    try:
        async with asyncio.timeout(timeout), asyncio.TaskGroup() as group:
            for (resource, namespace), left in places.items():
                work = _until_gone(watcher, resource, namespace, left, gone)
                group.create_task(work, name=f"gone-{resource}-{namespace}")
    except TimeoutError:
        still = [item for left in places.values() for item in left.values()]
        some = ", ".join(f"{item.resource.kind} {'/'.join(filter(None, item.key))}" for item in still[:3])
        more = ", …" if len(still) > 3 else ""
        raise DeadlineExceeded(f"{len(still)} objects still exist after {timeout:g} s ({some}{more})") from None


async def _until_gone(
    watcher: Watcher,
    resource: Resource,
    namespace: str | None,
    left: dict[tuple[str, str], Known],
    gone: Callable[[Known], None],
) -> None:
    only = f"metadata.name={next(iter(left))[1]}" if len(left) == 1 else ""
    seen: set[tuple[str, str]] = set()

    def tell(key: tuple[str, str]) -> None:
        gone(left.pop(key))

    async with aclosing(watcher.watch(resource, namespace=namespace, field_selector=only)) as events:
        async for event in events:
            if event.synced:
                for key in left.keys() - seen:
                    tell(key)
            elif (item := left.get(key := key_of(event.object))) is not None:
                seen.add(key)
                replaced = bool(item.uid) and event.object["metadata"]["uid"] != item.uid
                if event.change is Change.DELETED or replaced:
                    tell(key)
            if not left:
                return


async def until_pods_of_jobs_gone(watcher: Watcher, objects: Iterable[Known]) -> None:
    """Wait until no pod belongs to one of the Jobs among the objects; Jobs own their pods directly."""
    owners: dict[str | None, set[str]] = {}
    for item in objects:
        if item.resource == JOBS:
            owners.setdefault(item.namespace, set()).add(item.uid)
    for namespace, uids in owners.items():
        await _until_pods_gone(watcher, namespace, uids)


async def _until_pods_gone(watcher: Watcher, namespace: str | None, owners: Collection[str]) -> None:
    """Wait until no pod has one of the owners, which are uids."""
    left: set[str] = set()
    synced = False
    async with aclosing(watcher.watch(PODS, namespace=namespace)) as events:
        async for event in events:
            if event.synced:
                synced = True
            elif event.change is Change.DELETED:
                left.discard(event.object["metadata"]["uid"])
            elif any(owner["uid"] in owners for owner in event.object["metadata"].get("ownerReferences", ())):
                left.add(event.object["metadata"]["uid"])
            if synced and not left:
                return
