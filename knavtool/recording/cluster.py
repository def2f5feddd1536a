"""Follows pods, nodes and the kinds that own and queue pods, and hands what happens to the recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.errors import ClusterError
from knavtool.kube.resource import EVENTS, NODES, PODS
from knavtool.recording.kinds import RecordedKinds
from knavtool.recording.objects import NodeFacts, ObjectFacts
from knavtool.recording.pods import PodFacts, recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from knavtool.kube.gateway import Gateway, WatchEvent
    from knavtool.kube.resource import Manifest, Resource
    from knavtool.kube.store import Stores

    Write = Callable[..., None]
    Take = Callable[..., None]

_PREEMPTIONS = "reason=Preempted"


class ClusterFacts:
    """Writes facts about pods, and with `everything` about nodes and about the kinds that say how pods are queued.

    What a watch cannot tell, because it was interrupted, is a gap from its first to its last moment. What is true when
    it begins to look, or looks again, is `late`: nobody knows since when.
    """

    def __init__(self, write: Write, kinds: RecordedKinds | None = None, *, everything: bool = False) -> None:
        self._write = write
        self._everything = everything
        self._kinds = kinds or RecordedKinds()
        self._pods = PodFacts(write, self._kinds)
        self._nodes = NodeFacts(write)
        self._followed: set[tuple[Resource, str | None]] = set()
        self._served: list[tuple[Resource, Take]] = []
        self._gaps: set[tuple[str, str]] = set()

    def keep(self, pod: Manifest, kept: Manifest) -> Manifest:
        """What is `kept` of a pod in a store, with the parts that facts are made of."""
        return recorded(pod, kept, self._kinds)

    def submitted(self, *, kind: str, uid: str, namespace: str, name: str, pods: int, existed: bool) -> None:
        """An object of the workflow exists; it has so many pods, 0 if the workflow does not say."""
        about = {"kind": kind, "uid": uid, "namespace": namespace, "name": name}
        self._write(fact="submitted", **about, pods=pods or None, existed=existed or None)

    async def begin(self, stores: Stores, gateway: Gateway, submitted: Iterable[tuple[str, str]]) -> list[str]:
        """Follow what belongs to no namespace; `submitted` are the kinds of the run as (group, kind).

        Returns why something cannot be followed: the recording has a gap then, which never ends. Costs one request that
        asks for the served kinds, and one list and watch for each kind.
        """
        if not self._everything:
            return []
        missing = await self._follow_all(stores, [(NODES, None, self._nodes.take)])
        try:
            served = {(one.resource.group, one.resource.kind): one for one in (await gateway.kinds()).kinds}
        except ClusterError as error:
            return [*missing, error.message]
        for kind in self._kinds.needed(submitted):
            found = served.get((kind.group, kind.kind))
            if found is not None and {"list", "watch"} <= found.verbs:
                self._served.append((found.resource, ObjectFacts(self._write, kind).take))
        return missing + await self._follow_all(
            stores, [(resource, None, take) for resource, take in self._served if not resource.namespaced]
        )

    async def follow(self, stores: Stores, namespaces: Iterable[str | None]) -> list[str]:
        """Follow the pods of these namespaces and what queues them; costs one list and watch for each kind.

        Returns why pods cannot be followed. What else cannot be followed is a gap without a warning: many who may list
        pods may not list the kinds of every component.
        """
        missing: list[str] = []
        for namespace in namespaces:
            missing += await self._follow_all(stores, [(PODS, namespace, self._pods.take)])
            if self._everything:
                others = [(resource, namespace, take) for resource, take in self._served if resource.namespaced]
                await self._follow_all(stores, others)
                await self._follow_all(stores, [(EVENTS, namespace, self._event)])
        return missing

    def _event(self, event: WatchEvent, *, late: bool) -> None:
        if not late:
            self._pods.take_event(event)

    async def _follow_all(self, stores: Stores, wanted: Iterable[tuple[Resource, str | None, Take]]) -> list[str]:
        return [reason for one in self._new(wanted) if (reason := await self._follow(stores, *one))]

    def _new(self, wanted: Iterable[tuple[Resource, str | None, Take]]) -> Iterator[tuple[Resource, str | None, Take]]:
        for resource, namespace, take in wanted:
            if (resource, namespace) not in self._followed:
                self._followed.add((resource, namespace))
                yield resource, namespace, take

    async def _follow(self, stores: Stores, resource: Resource, namespace: str | None, take: Take) -> str:
        """Follow one kind; returns why that cannot be done."""
        where = (resource.kind, namespace or "")
        late = True

        def listen(event: WatchEvent) -> None:
            nonlocal late
            if event.interrupted:
                late = True
                self._gaps.add(where)
                self._write(fact="gap", event="began", kind=where[0], namespace=where[1], reason=event.interrupted)
            elif event.synced:
                late = False
                if where in self._gaps:
                    self._gaps.remove(where)
                    self._write(fact="gap", event="ended", kind=where[0], namespace=where[1])
            else:
                take(event, late=late)

        selector = _PREEMPTIONS if resource is EVENTS else ""
        try:
            await stores.follow(resource, namespace, listen, field_selector=selector)
        except ClusterError as error:
            return error.message
        return ""
