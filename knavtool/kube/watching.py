"""List, then watch, then list again when the server has forgotten: the only loop here that runs for ever."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Protocol

import orjson

from knavtool.errors import ClusterError, Expired, Unreachable
from knavtool.kube.gateway import SYNCED, Change, WatchEvent
from knavtool.kube.refusals import event_refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from contextlib import AbstractAsyncContextManager

    from knavtool.kube.resource import Manifest, Resource

Key = tuple[str, str]
_RETRIED = frozenset({429, 500, 502, 503, 504})
_LONGEST_DELAY = 5.0


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
    patience: float,
) -> AsyncIterator[WatchEvent]:
    """See `Gateway.watch`; gives up when the server did not answer for `patience` seconds."""
    known: dict[Key, tuple[str, str]] = {}
    synced = False
    version = ""
    loop = asyncio.get_running_loop()
    failing_since: float | None = None
    delay = 0.1
    while True:
        try:
            if not version:
                listed, version = await _listed(lister, resource, namespace, label_selector, field_selector)
                for event in difference(known, listed):
                    yield event
                known = {key: _identity(item) for key, item in listed.items()}
                del listed
                if not synced:
                    synced = True
                    yield SYNCED
            failing_since, delay = None, 0.1
            query = {
                "resourceVersion": version,
                "labelSelector": label_selector,
                "fieldSelector": field_selector,
            }
            async for change, item in _changes(streamer, resource, namespace, query):
                version = item["metadata"]["resourceVersion"]
                if change is None:
                    continue
                if change is Change.DELETED:
                    known.pop(key_of(item), None)
                else:
                    known[key_of(item)] = _identity(item)
                yield WatchEvent(change, item)
        except Expired:
            version = ""
        except ClusterError as error:
            if not isinstance(error, Unreachable) and error.status not in _RETRIED:
                raise
            now = loop.time()
            failing_since = failing_since if failing_since is not None else now
            if now - failing_since > patience:
                raise
            await asyncio.sleep(delay * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
            delay = min(delay * 2, _LONGEST_DELAY)


async def _listed(
    lister: Lister, resource: Resource, namespace: str | None, label_selector: str, field_selector: str
) -> tuple[dict[Key, Manifest], str]:
    """Everything there is now, and the version at which that was so."""
    listed: dict[Key, Manifest] = {}
    version = ""
    async for page in lister.raw_pages(
        resource, namespace=namespace, label_selector=label_selector, field_selector=field_selector
    ):
        listed.update((key_of(item), item) for item in page["items"] or ())
        version = page["metadata"]["resourceVersion"]
    return listed, version


async def _changes(
    streamer: Streamer, resource: Resource, namespace: str | None, query: Mapping[str, str]
) -> AsyncIterator[tuple[Change | None, Manifest]]:
    """One watch request: (change, object), or (None, object) for a bookmark, which only tells a version."""
    purpose = f"watch {resource}"
    options = {"watch": "true", "allowWatchBookmarks": "true", **query}
    async with streamer.stream(resource.path(namespace), purpose, options) as lines:
        async for line in lines:
            entry = orjson.loads(line)
            if entry["type"] == "ERROR":
                raise event_refusal(entry["object"], purpose)
            yield (None if entry["type"] == "BOOKMARK" else Change(entry["type"])), entry["object"]


def key_of(manifest: Manifest) -> Key:
    """(namespace, name); the namespace is empty for cluster-scoped objects."""
    metadata = manifest["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def difference(known: Mapping[Key, tuple[str, str]], listed: Mapping[Key, Manifest]) -> Iterator[WatchEvent]:
    """The events that lead from what a consumer knows to what was listed; both map a key to (uid, resourceVersion)."""
    for key, (uid, _) in known.items():
        if key not in listed or listed[key]["metadata"].get("uid") != uid:
            namespace, name = key
            yield WatchEvent(Change.DELETED, {"metadata": {"namespace": namespace, "name": name, "uid": uid}})
    for key, item in listed.items():
        before = known.get(key)
        now = _identity(item)
        if before is None or before[0] != now[0]:
            yield WatchEvent(Change.ADDED, item)
        elif before != now:
            yield WatchEvent(Change.MODIFIED, item)


def _identity(item: Manifest) -> tuple[str, str]:
    metadata = item["metadata"]
    return metadata.get("uid", ""), metadata.get("resourceVersion", "")
