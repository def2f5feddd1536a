"""Whether an object belongs to others by its owner references."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from knavtool.errors import NotFound
from knavtool.workflow.observing.owners import DEEPEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest


class Ownership:
    """Follows owner references up to objects with certain uids; each owner in between is read once."""

    def __init__(self, gateway: Gateway, uids: Iterable[str]) -> None:
        self._gateway = gateway
        self._known: dict[str, bool | None] = dict.fromkeys(uids, True)

    async def below(self, manifest: Manifest, depth: int = 0) -> bool | None:
        """True or False when the owners tell; None when one of them is gone, so that nobody knows what it belonged to.

        Raises ClusterError when an owner cannot be read for another reason: what is not known is no answer.
        """
        answers = []
        metadata = manifest["metadata"]
        for owner in metadata.get("ownerReferences") or ():
            answer = await self._leads(owner, metadata.get("namespace"), depth)
            if answer:
                return True
            answers.append(answer)
        return None if None in answers else False

    async def _leads(self, owner: Mapping[str, Any], namespace: str | None, depth: int) -> bool | None:
        uid = owner["uid"]
        if uid not in self._known:
            self._known[uid] = await self._read(owner, namespace, depth) if depth < DEEPEST else None
        return self._known[uid]

    async def _read(self, owner: Mapping[str, Any], namespace: str | None, depth: int) -> bool | None:
        try:
            resource = await self._gateway.discover(owner["apiVersion"], owner["kind"])
            place = namespace if resource.namespaced else None
            found = await self._gateway.get(resource, owner["name"], namespace=place)
        except NotFound:
            return None
        return await self.below(found, depth + 1) if found["metadata"]["uid"] == owner["uid"] else None


class Whose(Enum):
    """Who answers for an object."""

    RUN = "the run made it, or what owns it; the cleanup removes it"
    TOOL = "knavtool made it before the run"
    OTHERS = "somebody else"
