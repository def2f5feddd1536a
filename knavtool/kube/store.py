"""What a run knows of the cluster: one list and watch per kind and namespace, however many tasks read it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self

from knavtool.kube.gateway import SYNCED, Change, WatchEvent, interruption
from knavtool.kube.watching import key_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest, Resource

    Key = tuple[str, str]
    Keep = Callable[[Manifest], Manifest]


_AT_ONCE = 64
"""Events taken in, or told to one who begins to read, before other work gets a turn."""


class Watcher(Protocol):
    """What waiting needs: a gateway, or the stores of a run."""

    def watch(
        self, resource: Resource, *, namespace: str | None = None, label_selector: str = "", field_selector: str = ""
    ) -> AsyncGenerator[WatchEvent]:
        """See `Gateway.watch`."""


class Stores:
    """The stores of a run; each begins when it is first asked for and follows its kind until the run ends.

    `keep` says per kind which part of an object is kept, because tens of thousands of pods may be followed; of other
    kinds everything is kept but the bookkeeping of field managers.
    """

    def __init__(self, gateway: Gateway, *, keep: Mapping[Resource, Keep] | None = None) -> None:
        self._gateway = gateway
        self._keep = keep or {}
        self._stores: dict[tuple[Resource, str | None, str], _Store] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop following."""
        tasks = [store.task for store in self._stores.values() if store.task is not None]
        self._stores.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def follow(
        self,
        resource: Resource,
        namespace: str | None,
        listener: Callable[[WatchEvent], None] | None = None,
        *,
        field_selector: str = "",
    ) -> None:
        """Return once all that is there now is known; `listener` is told of it, then SYNCED, then all that comes.

        That goes on when the server refused to tell more and a later reader asked anew: the listener is told of the
        interruption, and when it is over of the difference.
        """
        store = self._store(resource, namespace, field_selector)
        if listener is not None:
            for item in store.objects.values():
                listener(WatchEvent(Change.ADDED, item))
            if store.synced:
                listener(SYNCED)
            store.listeners.append(listener)
        await store.known()

    async def watch(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",  # noqa: ARG002 - what is followed is never less than what is asked for
        field_selector: str = "",  # noqa: ARG002 - see above
    ) -> AsyncGenerator[WatchEvent]:
        """Like `Gateway.watch`, with what is known already; it may tell of more objects than the selectors choose."""
        store = self._store(resource, namespace)
        events: asyncio.Queue[WatchEvent | None] = asyncio.Queue()
        objects = list(store.objects.values())
        synced = store.synced
        store.readers.append(events)
        try:
            for number, item in enumerate(objects, 1):
                yield WatchEvent(Change.ADDED, item)
                if number % _AT_ONCE == 0:
                    await asyncio.sleep(0)
            if synced:
                yield SYNCED
            while (event := await events.get()) is not None:
                yield event
            store.raise_failure()
        finally:
            store.readers.remove(events)

    def _store(self, resource: Resource, namespace: str | None, field_selector: str = "") -> _Store:
        key = (resource, namespace, field_selector)
        store = self._stores.get(key)
        if store is None:
            keep = self._keep.get(resource, _without_managers)
            store = self._stores[key] = _Store(keep=keep, field_selector=field_selector)
        if store.task is None or store.ended():
            store.begin(self._gateway, resource, namespace)
        return store


@dataclass(slots=True, kw_only=True)
class _Store:
    """The last-seen state of one kind in one namespace; `readers` get None when the following ends."""

    keep: Keep
    field_selector: str = ""
    objects: dict[Key, Manifest] = field(default_factory=dict)
    synced: bool = False
    task: asyncio.Task[None] | None = None
    listeners: list[Callable[[WatchEvent], None]] = field(default_factory=list)
    readers: list[asyncio.Queue[WatchEvent | None]] = field(default_factory=list)
    _known: asyncio.Event = field(default_factory=asyncio.Event)
    _doubted: dict[Key, Manifest] = field(default_factory=dict)  # known before an interruption, not seen since

    def begin(self, gateway: Gateway, resource: Resource, namespace: str | None) -> None:
        """Follow, or follow anew after the server has refused to go on."""
        self.synced, self._doubted = False, dict(self.objects)
        self._known.clear()
        self.task = asyncio.create_task(
            self._follow(gateway, resource, namespace), name=f"store-{resource}-{namespace}"
        )

    def ended(self) -> bool:
        """Whether it follows no longer, because the server refused to go on; those who read it have been told."""
        return self.task is not None and self.task.done() and (self.task.cancelled() or bool(self.task.exception()))

    async def _follow(self, gateway: Gateway, resource: Resource, namespace: str | None) -> None:
        """Take in events for ever; raises ClusterError when the server does not give them."""
        taken = 0
        try:
            async for event in gateway.watch(resource, namespace=namespace, field_selector=self.field_selector):
                self._take(event)
                taken += 1
                if taken % _AT_ONCE == 0:
                    # A backlog is read without a pause; those who wait for an event must not wait for its end.
                    await asyncio.sleep(0)
        except Exception as error:
            for listener in self.listeners:
                listener(interruption(str(error)))
            raise
        finally:
            self._known.set()
            for reader in self.readers:
                reader.put_nowait(None)

    def _take(self, event: WatchEvent) -> None:
        if event.synced:
            for key, item in self._doubted.items():
                self._delete(key, item)
            self._doubted.clear()
            self.synced = True
            self._known.set()
            self._tell(event)
            return
        key = key_of(event.object)
        before = self._doubted.pop(key, None)
        if event.change is Change.DELETED:
            self._delete(key, event.object)
            return
        change, item = event.change, self.keep(event.object)
        if before is not None:
            if before["metadata"].get("uid") != item["metadata"].get("uid"):
                self._delete(key, before)
            elif before == item:
                return
            else:
                change = Change.MODIFIED
        self.objects[key] = item
        self._tell(WatchEvent(change, item))

    def _delete(self, key: Key, item: Manifest) -> None:
        self.objects.pop(key, None)
        self._tell(WatchEvent(Change.DELETED, item))

    def _tell(self, event: WatchEvent) -> None:
        for listener in self.listeners:
            listener(event)
        for reader in self.readers:
            reader.put_nowait(event)

    async def known(self) -> None:
        """Wait for the end of the first list. Raises ClusterError."""
        await self._known.wait()
        self.raise_failure()

    def raise_failure(self) -> None:
        """Raise what ended the following."""
        if self.task is not None and self.task.done():
            self.task.result()


def _without_managers(item: Manifest) -> Manifest:
    item["metadata"].pop("managedFields", None)
    return item
