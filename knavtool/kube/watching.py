"""List, then watch, then list again when the server has forgotten: the only loop here that runs for ever."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol

import orjson

from knavtool.errors import ClusterError, Expired, NotFound, Unreachable
from knavtool.kube.connection.api_errors import event_refusal
from knavtool.kube.connection.backoff import RETRIED, Backoff
from knavtool.kube.gateway import SYNCED, Change, WatchEvent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from knavtool.kube.resource import Manifest, Resource

Key = tuple[str, str]
Identity = tuple[str, str]
"""(uid, resourceVersion)."""


class Lister(Protocol):
    """What watching needs to list."""

    def raw_pages(
        self,
        resource: Resource,
        *,
        namespace: str | None,
        label_selector: str,
        field_selector: str,
    ) -> AsyncIterator[Manifest]:
        """List in pages with list metadata."""


class Streamer(Protocol):
    """What watching needs to watch."""

    def stream(
        self, path: str, purpose: str, query: Mapping[str, str]
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The lines of a long answer."""


async def watch(
    lister: Lister,
    streamer: Streamer,
    resource: Resource,
    *,
    namespace: str | None,
    label_selector: str,
    field_selector: str,
    retry_timeout: float,
) -> AsyncGenerator[WatchEvent]:
    """See `Gateway.watch`; gives up when the server did not answer for `retry_timeout` seconds."""
    following = _Following(lister, streamer, resource, namespace, label_selector, field_selector)
    loop = asyncio.get_running_loop()
    failing_since: float | None = None
    backoff = Backoff()
    while True:
        following.answered = following.moved = False
        try:
            # Closed here and not when it is collected: then its connection would outlive the client.
            async with aclosing(following.once()) as events:
                async for event in events:
                    yield event
            failing_since = None
        except Expired:
            following.forget_version()
        except NotFound as error:
            for event in following.all_gone():
                yield event
            raise NotFound(
                f"watch {resource}: the cluster does not serve {resource.api_version} {resource.kind} any more",
                status=error.status,
                reason=error.reason,
                hint="its CustomResourceDefinition was removed, and with it all objects of this kind",
            ) from error
        except ClusterError as error:
            # A list was retried for as long as that before it failed.
            if following.listing or (not isinstance(error, Unreachable) and error.status not in RETRIED):
                raise
            if failing_since is None or following.answered:
                failing_since = loop.time()
            elif loop.time() - failing_since > retry_timeout:
                raise
        # Also after a regular end: a server or proxy that ends every watch at once must not be asked without a pause.
        if following.moved:
            backoff.reset()
        await asyncio.sleep(backoff.next())


class _Following:
    """Where one consumer of a watch stands: what it was told, and up to which version of the server's data.

    `listing` tells whether the list did not finish, `answered` whether the server took the watch, `moved`
    whether the watch gave anything, bookmarks included.
    """

    def __init__(
        self,
        lister: Lister,
        streamer: Streamer,
        resource: Resource,
        namespace: str | None,
        label_selector: str,
        field_selector: str,
    ) -> None:
        self._lister = lister
        self._streamer = streamer
        self._resource = resource
        self._namespace = namespace
        self._labels = label_selector
        self._fields = field_selector
        self._told: dict[Key, Identity] = {}
        self._version = ""
        self._synced = False
        self.listing = False
        self.answered = False
        self.moved = False

    def forget_version(self) -> None:
        """List again next time, because the server no longer knows what happened since our version."""
        self._version = ""

    def all_gone(self) -> Iterator[WatchEvent]:
        """The deletion of everything that was told, because the kind itself is gone."""
        while self._told:
            yield _gone(*self._told.popitem())

    async def once(self) -> AsyncGenerator[WatchEvent]:
        """List if needed, then follow one watch request to its end."""
        self.listing = not self._version
        if self.listing:
            async for event in self._list():
                yield event
            self.listing = False
        if not self._synced:
            self._synced = True
            yield SYNCED
        async with aclosing(self._stream()) as changes:
            async for change, item in changes:
                self._version = item["metadata"]["resourceVersion"]
                if change is Change.DELETED:
                    self._told.pop(key_of(item), None)
                elif change is not None:
                    self._told[key_of(item)] = _identity(item)
                if change is not None:
                    yield WatchEvent(change, item)

    async def _list(self) -> AsyncIterator[WatchEvent]:
        """The difference between what is there and what was known, in pages, so that no list lies in memory whole."""
        seen: set[Key] = set()
        version = ""
        async for page in self._lister.raw_pages(
            self._resource, namespace=self._namespace, label_selector=self._labels, field_selector=self._fields
        ):
            version = page["metadata"]["resourceVersion"]
            for item in page["items"] or ():
                key = key_of(item)
                seen.add(key)
                known = self._told.get(key)
                self._told[key] = _identity(item)
                for event in _news(key, known, item):
                    yield event
        for key in self._told.keys() - seen:
            yield _gone(key, self._told.pop(key))
        self._version = version

    async def _stream(self) -> AsyncGenerator[tuple[Change | None, Manifest]]:
        """One watch request: (change, object), or (None, object) for a bookmark, which only tells a version."""
        purpose = f"watch {self._resource}"
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "labelSelector": self._labels,
            "fieldSelector": self._fields,
        }
        async with self._streamer.stream(self._resource.path(self._namespace), purpose, query) as lines:
            self.answered = True
            async for line in lines:
                entry = orjson.loads(line)
                if entry["type"] == "ERROR":
                    raise event_refusal(entry["object"], purpose)
                self.moved = True
                yield (None if entry["type"] == "BOOKMARK" else Change(entry["type"])), entry["object"]


def key_of(manifest: Manifest) -> Key:
    """(namespace, name); the namespace is empty for cluster-scoped objects."""
    metadata = manifest["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _news(key: Key, known: Identity | None, item: Manifest) -> Iterator[WatchEvent]:
    """What to tell about a listed object; one that was deleted and made again meanwhile is both."""
    now = _identity(item)
    if known is not None and known[0] != now[0]:
        yield _gone(key, known)
        known = None
    if known is None:
        yield WatchEvent(Change.ADDED, item)
    elif known != now:
        yield WatchEvent(Change.MODIFIED, item)


def _gone(key: Key, known: Identity) -> WatchEvent:
    namespace, name = key
    return WatchEvent(Change.DELETED, {"metadata": {"namespace": namespace, "name": name, "uid": known[0]}})


def _identity(item: Manifest) -> Identity:
    metadata = item["metadata"]
    return metadata.get("uid", ""), metadata.get("resourceVersion", "")
