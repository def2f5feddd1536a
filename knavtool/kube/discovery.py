"""All kinds that an API server serves: one request for most servers, one per group version for older ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.errors import NotFound, NotServed
from knavtool.kube.concurrency import for_each
from knavtool.kube.resource import WELL_KNOWN, Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from knavtool.kube.connection.transport import Transport
    from knavtool.kube.resource import Manifest

_LIST = "g=apidiscovery.k8s.io;as=APIGroupDiscoveryList"
_AGGREGATED = f"application/json;v=v2;{_LIST},application/json;v=v2beta1;{_LIST},application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedKind:
    """One kind in one version, with what can be done with its objects."""

    resource: Resource
    verbs: frozenset[str] = frozenset()
    subresources: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ServedKinds:
    """Each kind in the version that the server prefers; `missing` names group versions of which it did not tell any.

    `versions` are all group versions with the kinds in each.
    """

    kinds: tuple[ServedKind, ...]
    missing: tuple[str, ...] = ()
    versions: Mapping[str, frozenset[str]] = field(default_factory=dict)


class Discovery:
    """The kinds that were asked for, each API version in one request; those of Kubernetes itself cost none."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._resources: dict[tuple[str, str], Resource] = dict(WELL_KNOWN)

    async def find(self, api_version: str, kind: str) -> Resource:
        """The resource of a kind; raises NotServed, which names the versions in which its group has the kind."""
        known = self._resources.get((api_version, kind))
        if known is not None:
            return known
        group = api_version.rpartition("/")[0]
        try:
            await self._read(api_version)
        except NotFound as error:
            message = f"the cluster does not serve {api_version} (wanted for kind {kind})"
            raise NotServed(message, served_as=await self._served_as(group, kind)) from error
        try:
            return self._resources[api_version, kind]
        except KeyError:
            kinds = sorted(name for served, name in self._resources if served == api_version)
            message = f"{api_version} has no kind {kind}; it has {', '.join(kinds)}"
            raise NotServed(message, served_as=await self._served_as(group, kind)) from None

    async def _read(self, api_version: str) -> None:
        """Remember the kinds of an API version; raises NotFound if it is not served."""
        for one in await kinds_of(self._transport, api_version):
            self._resources[api_version, one.resource.kind] = one.resource

    async def _served_as(self, group: str, kind: str) -> list[str]:
        """The API versions of a group that have the kind."""
        if not group:
            return []
        try:
            answer = await self._transport.request("GET", f"/apis/{group}", f"find the versions of {group}")
        except NotFound:
            return []
        versions = [str(version["groupVersion"]) for version in answer.get("versions") or ()]
        for version in versions:
            await self._read(version)
        return [version for version in versions if (version, kind) in self._resources]


async def served_kinds(transport: Transport) -> ServedKinds:
    """Ask for all kinds; a group version that cannot be read, as of an aggregated server that is down, is `missing`."""
    found = _Found()
    for path in ("/api", "/apis"):
        answer = await transport.request("GET", path, "find all kinds", headers={"Accept": _AGGREGATED})
        if answer.get("kind") == "APIGroupDiscoveryList":
            found.take_aggregated(answer)
            continue
        versions = list(_versions(answer))
        classic: dict[str, list[ServedKind]] = {}

        async def read(version: str, classic: dict[str, list[ServedKind]] = classic) -> None:
            classic[version] = await kinds_of(transport, version, retry_timeout=0)

        found.missing += [version for version, _ in await for_each(versions, read)]
        for version in versions:
            for one in classic.get(version, ()):
                found.add(one)
    return ServedKinds(
        kinds=tuple(found.kinds.values()),
        missing=tuple(found.missing),
        versions={version: frozenset(kinds) for version, kinds in found.versions.items()},
    )


async def kinds_of(transport: Transport, api_version: str, *, retry_timeout: float | None = None) -> list[ServedKind]:
    """The kinds of one API version, in one request; raises NotFound if it is not served."""
    group, _, version = api_version.rpartition("/")
    path = f"/apis/{api_version}" if group else f"/api/{api_version}"
    answer = await transport.request("GET", path, f"find the kinds of {api_version}", retry_timeout=retry_timeout)
    items = answer.get("resources") or ()
    below: dict[str, list[str]] = {}
    for one in items:
        plural, _, subresource = one["name"].partition("/")
        if subresource:
            below.setdefault(plural, []).append(subresource)
    return [
        _served(
            Resource(group, version, one["name"], one["kind"], namespaced=one["namespaced"]),
            one.get("verbs"),
            below.get(one["name"], ()),
        )
        for one in items
        if "/" not in one["name"]
    ]


def _served(resource: Resource, verbs: Iterable[str] | None, subresources: Iterable[str]) -> ServedKind:
    return ServedKind(resource=resource, verbs=frozenset(verbs or ()), subresources=frozenset(subresources))


@dataclass(slots=True)
class _Found:
    """Kinds by group and plural; the first version that comes is the preferred one."""

    kinds: dict[tuple[str, str], ServedKind] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    versions: dict[str, set[str]] = field(default_factory=dict)

    def take_aggregated(self, answer: Manifest) -> None:
        for group in answer.get("items") or ():
            name = (group.get("metadata") or {}).get("name", "")
            for version in group.get("versions") or ():
                if version.get("freshness") == "Stale":
                    self.missing.append(f"{name}/{version['version']}".lstrip("/"))
                    continue
                for one in version.get("resources") or ():
                    resource = Resource(
                        name,
                        version["version"],
                        one["resource"],
                        (one.get("responseKind") or {}).get("kind", ""),
                        namespaced=one["scope"] == "Namespaced",
                    )
                    below = [sub["subresource"] for sub in one.get("subresources") or ()]
                    self.add(_served(resource, one.get("verbs"), below))

    def add(self, one: ServedKind) -> None:
        self.kinds.setdefault((one.resource.group, one.resource.plural), one)
        self.versions.setdefault(one.resource.api_version, set()).add(one.resource.kind)


def _versions(answer: Manifest) -> Iterator[str]:
    """The group versions of a server without aggregated discovery, the preferred one of each group first."""
    yield from answer.get("versions") or ()
    for group in answer.get("groups") or ():
        preferred = (group.get("preferredVersion") or {}).get("groupVersion")
        versions = [version["groupVersion"] for version in group.get("versions") or ()]
        yield from sorted(versions, key=lambda version: version != preferred)
