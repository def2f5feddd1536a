"""All that is in a cluster, so that it can be told whether a piece of work has left something there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from knavtool.engines.existing.installation import Ref
from knavtool.errors import ClusterError, NotFound
from knavtool.kube.concurrency import for_each
from knavtool.kube.waiting import until

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from knavtool.kube.client import Client
    from knavtool.kube.discovery import ServedKinds
    from knavtool.kube.resource import Manifest, Resource
    from knavtool.kube.waiting import State

_PASSING = frozenset({"Event", "Lease", "Endpoints", "EndpointSlice", "PodMetrics", "NodeMetrics"})
"""Kinds whose objects say something about others, or are made again at once."""


@dataclass(frozen=True, slots=True)
class Item:
    """One object, and the uids of those that own it."""

    ref: Ref
    resource: Resource
    owners: frozenset[str]


async def contents(client: Client) -> dict[str, Item]:
    """Every object by its uid, without those of kinds that say something about others, such as events.

    Costs a list of metadata for each kind that is served. Raises ClusterError if one of them cannot be listed.
    """
    found: dict[str, Item] = {}

    async def ask(resource: Resource) -> None:
        async for page in client.pages(resource, metadata_only=True):
            for item in page:
                metadata = item["metadata"]
                owners = frozenset(owner["uid"] for owner in metadata.get("ownerReferences") or ())
                found[metadata["uid"]] = Item(ref_of(item, resource), resource, owners)

    for resource, error in await for_each(listable(await client.kinds()), ask):
        # A kind whose definition went a moment ago is told for a little longer.
        if not isinstance(error, NotFound):
            hint = "ask the administrator for the right to list it, or remove the API if it is not needed"
            raise ClusterError(f"{resource} cannot be listed: {error.message}", status=error.status, hint=hint)
    return found


async def left_behind(client: Client, before: Collection[str], *, timeout: float) -> list[Ref]:
    """What is in the cluster and was not there `before`, by uid; waits up to `timeout` seconds for what is going.

    What is owned by something that was there before is that one's business, as the pods of a Deployment are.
    """
    deadline = asyncio.get_running_loop().time() + timeout
    while True:
        added = _added(before, await contents(client))
        if not added or asyncio.get_running_loop().time() >= deadline:
            return sorted(one.ref for one in added.values())
        by_resource: dict[Resource, set[str]] = {}
        for uid, one in added.items():
            by_resource.setdefault(one.resource, set()).add(uid)
        try:
            async with asyncio.timeout_at(deadline):
                for resource, uids in by_resource.items():
                    await until(client, resource, partial(_without, uids), timeout=None)
        except TimeoutError:
            continue


def listable(served: ServedKinds) -> list[Resource]:
    """The kinds whose objects are somebody's and can be looked at."""
    return [
        one.resource for one in served.kinds if {"list", "delete"} <= one.verbs and one.resource.kind not in _PASSING
    ]


def ref_of(item: Manifest, resource: Resource) -> Ref:
    """Which object it is."""
    metadata = item["metadata"]
    return Ref(resource.api_version, resource.kind, metadata.get("namespace", ""), metadata["name"])


def _added(before: Collection[str], now: Mapping[str, Item]) -> dict[str, Item]:
    """What is new and has no owner that was there before, directly or not."""
    added = {uid: one for uid, one in now.items() if uid not in before}
    explained = set(before)
    while theirs := {uid for uid, one in added.items() if one.owners & explained}:
        explained |= theirs
        added = {uid: one for uid, one in added.items() if uid not in theirs}
    return added


def _without(uids: Collection[str], seen: State) -> bool | None:
    return None if any(item["metadata"]["uid"] in uids for item in seen.values()) else True
