"""All kinds that an API server serves: one request for most servers, one per group version for older ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.kube.concurrency import for_each
from knavtool.kube.resource import Resource

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
            classic[version] = await kinds_of(transport, version, patience=0)

        found.missing += [version for version, _ in await for_each(versions, read)]
        for version in versions:
            for one in classic.get(version, ()):
                found.add(one)
    return ServedKinds(
        kinds=tuple(found.kinds.values()),
        missing=tuple(found.missing),
        versions={version: frozenset(kinds) for version, kinds in found.versions.items()},
    )


async def kinds_of(transport: Transport, api_version: str, *, patience: float | None = None) -> list[ServedKind]:
    """The kinds of one API version, in one request; raises NotFound if it is not served."""
    group, _, version = api_version.rpartition("/")
    path = f"/apis/{api_version}" if group else f"/api/{api_version}"
    answer = await transport.request("GET", path, f"find the kinds of {api_version}", patience=patience)
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
