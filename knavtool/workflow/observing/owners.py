"""What stands above pods: Jobs of JobSets, Pods of a leader, and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.errors import ClusterError
from knavtool.kube.concurrency import for_each

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest, Resource

    Reference = Mapping[str, str]

DEEPEST = 8
"""So many owners above each other are followed."""
_READ_ONE_BY_ONE = 5
"""Up to so many owners of a kind in a namespace cost less as single requests than as a list of all."""


class Owners:
    """The owner references of owners; each is read once, however many objects pods are sorted to."""

    def __init__(self) -> None:
        self._above: dict[str, tuple[Reference, ...] | None] = {}

    def above(self, uid: str) -> tuple[Reference, ...] | None:
        """The owners of an owner; None if it is not known, because it is gone or not for us to read."""
        return self._above.get(uid)

    async def learn(self, gateway: Gateway, pods: Iterable[Manifest], ends: Callable[[Reference], bool]) -> None:
        """Read what stands above pods; nothing above an owner where that `ends`. Refusals make owners unknown."""
        level = {
            owner["uid"]: (owner, pod["metadata"].get("namespace"))
            for pod in pods
            for owner in pod["metadata"].get("ownerReferences") or ()
        }
        for _ in range(DEEPEST):
            level = {uid: (owner, namespace) for uid, (owner, namespace) in level.items() if not ends(owner)}
            await self._read(gateway, {uid: known for uid, known in level.items() if uid not in self._above})
            level = {
                above["uid"]: (above, namespace)
                for uid, (_, namespace) in level.items()
                for above in self._above[uid] or ()
            }
            if not level:
                return

    async def _read(self, gateway: Gateway, wanted: Mapping[str, tuple[Reference, str | None]]) -> None:
        self._above.update(dict.fromkeys(wanted))
        kinds: dict[tuple[str, str, str | None], list[Reference]] = {}
        for owner, namespace in wanted.values():
            kinds.setdefault((owner["apiVersion"], owner["kind"], namespace), []).append(owner)
        for (version, kind, namespace), owners in kinds.items():
            try:
                resource = await gateway.discover(version, kind)
            except ClusterError:
                continue
            place = namespace if resource.namespaced else None

            async def one(owner: Reference, resource: Resource = resource, place: str | None = place) -> None:
                self._take(await gateway.get(resource, owner["name"], namespace=place), wanted)

            if len(owners) > _READ_ONE_BY_ONE:
                try:
                    async for page in gateway.pages(resource, namespace=place, metadata_only=True):
                        for found in page:
                            self._take(found, wanted)
                except ClusterError:
                    pass
                else:
                    continue
            await for_each(owners, one)

    def _take(self, found: Manifest, wanted: Collection[str]) -> None:
        metadata = found["metadata"]
        if metadata["uid"] in wanted:
            self._above[metadata["uid"]] = tuple(metadata.get("ownerReferences") or ())
