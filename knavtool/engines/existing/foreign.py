"""What others made of the kinds or in the namespaces that knavtool is about to remove.

Nothing is taken for ours because of who wrote it. What cannot be looked at is not removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.engines.existing.contents import listable, ref_of
from knavtool.engines.existing.installation import API_SERVICE, Ref
from knavtool.engines.existing.ownership import released_by
from knavtool.errors import ClusterError, NotFound
from knavtool.kube.concurrency import for_each
from knavtool.kube.resource import Resource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from knavtool.engines.existing.ownership import ManagedObjects
    from knavtool.kube.client import Client
    from knavtool.kube.resource import Manifest

_GIVEN = frozenset({("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")})
"""What Kubernetes puts into every namespace."""
_API_SERVICES = Resource("apiregistration.k8s.io", "v1", "apiservices", API_SERVICE, namespaced=False)


class Leftovers:
    """Tells objects of others from what goes with the components `ours`; one call of `down` has one.

    `uninstalled` are releases of theirs that Helm has removed: what still carries the mark of one was copied, or is to
    stay.
    """

    def __init__(self, client: Client, ours: ManagedObjects) -> None:
        self.uninstalled: set[tuple[str, str]] = set()
        self._client = client
        self._ours = ours
        self._owners: dict[str, bool] = {}

    async def of_definition(self, definition: Manifest) -> list[Ref]:
        """The objects of a CustomResourceDefinition that are not ours. Raises ClusterError if they cannot be listed."""
        spec, names = definition["spec"], definition["spec"]["names"]
        # In the version in which they are stored, they can be listed without the component's help.
        served = [one["name"] for one in sorted(spec["versions"], key=lambda one: not one["storage"]) if one["served"]]
        what = f"{names['kind']} of {definition['metadata']['name']}"
        if not served:
            message = f"objects of {what} cannot be listed, because no version of it is served; nothing was deleted"
            raise ClusterError(message, hint="let one of its versions be served, then run the command again")
        resource = Resource(
            spec["group"], served[0], names["plural"], names["kind"], namespaced=spec["scope"] == "Namespaced"
        )
        try:
            found = await self._list(resource, None)
        except NotFound:
            if not _established(definition):
                return []  # the kind never was, or is going, so that nobody can have objects of it
            raise
        return await self._foreign(found)

    async def in_namespace(self, namespace: str) -> list[Ref]:
        """The objects in a namespace that are not ours, nor Kubernetes' own.

        Raises ClusterError, with all reasons, if the server does not list the namespace completely.
        """
        served = await self._client.kinds()
        reasons = [f"the API {one} does not answer" for one in served.missing if not await self._serves(one)]
        found: list[tuple[Ref, Manifest]] = []

        async def ask(resource: Resource) -> None:
            found.extend(await self._list(resource, namespace))

        for resource, error in await for_each([one for one in listable(served) if one.namespaced], ask):
            # A kind whose definition went a moment ago is told for a little longer.
            if not isinstance(error, NotFound):
                reasons.append(f"{resource}: {error.message}")
        if reasons:
            message = f"Namespace {namespace} cannot be listed completely, so that nothing in it is deleted: "
            hint = "let the server answer for all kinds (an API of an APIService that is not needed can be removed), or"
            raise ClusterError(
                message + "; ".join(sorted(reasons)), hint=f"{hint} ask its administrator for the rights"
            )
        mine = [(ref, item) for ref, item in found if not self._is_given(ref, item, namespace)]
        return await self._foreign(mine)

    async def _list(self, resource: Resource, namespace: str | None) -> list[tuple[Ref, Manifest]]:
        found = []
        async for page in self._client.pages(resource, namespace=namespace, metadata_only=True):
            found += [(ref_of(item, resource), item) for item in page]
        return found

    async def _foreign(self, items: Iterable[tuple[Ref, Manifest]]) -> list[Ref]:
        foreign: list[Ref] = []

        async def judge(one: tuple[Ref, Manifest]) -> None:
            ref, item = one
            if not await self._goes(ref, item):
                foreign.append(ref)

        for one, error in await for_each(items, judge):
            raise ClusterError(f"{one[0]}: its owner cannot be read: {error.message}", status=error.status)
        return sorted(foreign)

    def _has(self, item: Manifest, ref: Ref) -> bool:
        release = released_by(item)
        return self._ours.has(item, ref) or (release in self._ours.releases and release not in self.uninstalled)

    async def _goes(self, ref: Ref, item: Manifest, path: frozenset[str] = frozenset()) -> bool:
        """Whether an object is ours, or goes by itself, because all its owners are ours or gone.

        `path` are uids of what it owns, directly or not.
        """
        metadata = item["metadata"]
        if self._has(item, ref) or metadata.get("deletionTimestamp"):
            return True
        owners = metadata.get("ownerReferences") or ()
        return bool(owners) and all([await self._owner_goes(owner, ref.namespace, path) for owner in owners])

    async def _owner_goes(self, owner: Manifest, namespace: str, path: frozenset[str]) -> bool:
        uid = owner["uid"]
        if uid in path:
            return False  # objects that own each other prove nothing
        if uid not in self._owners:
            self._owners[uid] = await self._look_at_owner(owner, namespace, path | {uid})
        return self._owners[uid]

    async def _look_at_owner(self, owner: Manifest, namespace: str, path: frozenset[str]) -> bool:
        try:
            resource = await self._client.discover(owner["apiVersion"], owner["kind"])
        except NotFound:
            # Its kind may still be there in another version.
            group = owner["apiVersion"].rpartition("/")[0]
            served = await self._client.kinds()
            kinds = [one.resource for one in served.kinds]
            same = [one for one in kinds if (one.group, one.kind) == (group, owner["kind"])]
            if not same:
                return not any(one.startswith(f"{group}/") for one in served.missing)
            resource = same[0]
        try:
            item = await self._client.get(resource, owner["name"], namespace=namespace if resource.namespaced else None)
        except NotFound:
            return True
        if item["metadata"]["uid"] != owner["uid"]:
            return True
        return await self._goes(ref_of(item, resource), item, path)

    async def _serves(self, group_version: str) -> bool:
        """Whether an API that does not answer is that of a component which goes itself."""
        group, _, version = group_version.rpartition("/")
        ref = Ref(_API_SERVICES.api_version, API_SERVICE, "", f"{version}.{group}")
        if any((one.kind, one.name) == (API_SERVICE, ref.name) for one in self._ours.sent):
            return True
        try:
            item = await self._client.get(_API_SERVICES, ref.name)
        except ClusterError:
            return False
        return self._has(item, ref)

    def _is_given(self, ref: Ref, item: Manifest, namespace: str) -> bool:
        """Whether Kubernetes put an object there, or Helm to remember a release of ours."""
        labels = item["metadata"].get("labels") or {}
        if ref.kind in ("Secret", "ConfigMap") and labels.get("owner") == "helm":
            return (labels.get("name", ""), namespace) in self._ours.releases
        return (ref.kind, ref.name) in _GIVEN


def _established(definition: Manifest) -> bool:
    """Whether a definition is, or was, served and is not just going."""
    conditions = (definition.get("status") or {}).get("conditions") or ()
    known = any(one["type"] == "Established" and one["status"] == "True" for one in conditions)
    return known and not definition["metadata"].get("deletionTimestamp")
