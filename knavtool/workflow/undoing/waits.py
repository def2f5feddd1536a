"""Waiting for objects and their pods to be gone, at a cost per change that does not grow with their number."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from knavtool.errors import DeadlineExceeded
from knavtool.kube.gateway import Change
from knavtool.kube.resource import JOBS, PODS
from knavtool.kube.watching import key_of
from knavtool.workflow.wording import shortened, some

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from knavtool.kube.resource import Manifest, Resource
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


class Leaving:
    """Objects that were deleted, waited for until they are gone, and what is known of those that are still there."""

    def __init__(self, objects: Collection[Known]) -> None:
        self._objects = objects
        self._places: dict[tuple[Resource, str | None], _Place] = {}
        for item in objects:
            self._places.setdefault((item.resource, item.namespace), _Place()).left[item.key] = item
        self._pods: dict[str, Manifest] = {}

    async def until_gone(
        self,
        watcher: Watcher,
        *,
        timeout: float | None,
        pods: bool = False,
        gone: Callable[[Known], None] = lambda _: None,
    ) -> None:
        """Wait until none of the objects exists, with `pods` also none of the pods that Jobs among them own.

        `gone` is told of each object once. Raises DeadlineExceeded.
        """
        try:
            async with asyncio.timeout(timeout):
                async with asyncio.TaskGroup() as group:
                    for (resource, namespace), place in self._places.items():
                        work = _until_gone(watcher, resource, namespace, place, gone)
                        group.create_task(work, name=f"gone-{resource}-{namespace}")
                for namespace, owners in self._jobs().items() if pods else ():
                    await _until_pods_gone(watcher, namespace, owners, self._pods)
        except TimeoutError:
            raise DeadlineExceeded(f"not gone after {timeout:.3g} s: {self.summary()}") from None

    def _jobs(self) -> Mapping[str | None, set[str]]:
        """The uids of the Jobs among the objects by namespace; they own their pods directly."""
        owners: dict[str | None, set[str]] = {}
        for item in self._objects:
            if item.resource == JOBS:
                owners.setdefault(item.namespace, set()).add(item.uid)
        return owners

    def summary(self) -> str:
        """What is still there, and what holds the first of it; "" if nothing is."""
        left = [(item, place.seen.get(key)) for place in self._places.values() for key, item in place.left.items()]
        still = [(str(item), seen) for item, seen in left]
        still += [(f"Pod {'/'.join(key_of(pod))}", pod) for pod in self._pods.values()]
        return f"{some([name for name, _ in still])}; {_held(*still[0])}" if still else ""


@dataclass(frozen=True, slots=True)
class _Place:
    """The objects of one kind and namespace that are waited for, and those of them that were seen, as seen last."""

    left: dict[tuple[str, str], Known] = field(default_factory=dict)
    seen: dict[tuple[str, str], Manifest] = field(default_factory=dict)


async def _until_gone(
    watcher: Watcher, resource: Resource, namespace: str | None, place: _Place, gone: Callable[[Known], None]
) -> None:
    left, seen = place.left, place.seen
    only = f"metadata.name={next(iter(left))[1]}" if len(left) == 1 else ""

    def tell(key: tuple[str, str]) -> None:
        gone(left.pop(key))

    async with aclosing(watcher.watch(resource, namespace=namespace, field_selector=only)) as events:
        async for event in events:
            if event.synced:
                for key in left.keys() - seen.keys():
                    tell(key)
            elif (item := left.get(key := key_of(event.object))) is not None:
                seen[key] = event.object
                replaced = bool(item.uid) and event.object["metadata"]["uid"] != item.uid
                if event.change is Change.DELETED or replaced:
                    tell(key)
            if not left:
                return


async def _until_pods_gone(
    watcher: Watcher, namespace: str | None, owners: Collection[str], left: dict[str, Manifest]
) -> None:
    """Wait until no pod has one of the owners, which are uids; `left` has those that there are, by uid."""
    synced = False
    async with aclosing(watcher.watch(PODS, namespace=namespace)) as events:
        async for event in events:
            if event.synced:
                synced = True
            elif event.change is Change.DELETED:
                left.pop(event.object["metadata"]["uid"], None)
            elif any(owner["uid"] in owners for owner in event.object["metadata"].get("ownerReferences", ())):
                left[event.object["metadata"]["uid"]] = event.object
            if synced and not left:
                return


def _held(name: str, seen: Manifest | None) -> str:
    """Why an object that was deleted is still there, as far as it tells."""
    if seen is None:
        return f"{name} was not seen yet"
    metadata = seen["metadata"]
    if "deletionTimestamp" not in metadata:
        return f"{name} is not being deleted"
    # A namespace has its finalizer elsewhere, and says in its conditions what it waits for.
    finalizers = [*(metadata.get("finalizers") or ()), *(seen.get("spec", {}).get("finalizers") or ())]
    waits = [shortened(each.get("message")) for each in _conditions(seen) if each.get("status") == "True"]
    if finalizers:
        return "; ".join([f"{name} is being deleted and waits for {' and '.join(finalizers)}", *waits])
    grace = metadata.get("deletionGracePeriodSeconds")
    return f"{name} is being deleted" + (f" with a grace period of {grace} s" if grace else "")


def _conditions(seen: Manifest) -> Sequence[Mapping[str, str]]:
    """Those of a namespace that is being deleted; other kinds say other things in theirs."""
    return (seen.get("status", {}).get("conditions") or ()) if seen.get("kind") == "Namespace" else ()
