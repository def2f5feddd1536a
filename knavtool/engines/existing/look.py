"""What of a component is in the cluster, and whose it is. Nothing is changed here."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.engines.existing.installation import DEFINITION, NAMESPACE, Ref
from knavtool.engines.existing.ownership import released_by
from knavtool.engines.existing.releases import driver
from knavtool.errors import NotFound
from knavtool.kube.concurrency import for_each
from knavtool.kube.resource import CUSTOM_RESOURCE_DEFINITIONS, Resource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from knavtool.engines.existing.installation import Installation
    from knavtool.engines.existing.installed import Installed
    from knavtool.kube.client import Client
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest

KEPT = "knavtool/kept"
"""Labels what `cluster down` left behind, because others need it: it is ours when the component comes again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A component with the names of its objects, those that Helm makes included, and their kinds."""

    installation: Installation
    refs: tuple[Ref, ...]
    resources: Mapping[tuple[str, str], Resource]

    def resource(self, ref: Ref) -> Resource:
        """Where an object is served."""
        return self.resources[ref.api_version, ref.kind]

    def ref(self, manifest: Manifest) -> Ref:
        """Which object a manifest of the component is."""
        return _ref(manifest, self.resources, self.installation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Target):
    """What a look at one component found.

    `existing` are the objects that are there, `foreign` says which of them somebody else made, `conflicts` why a
    definition cannot be replaced, `unserved` which group versions the cluster itself lacks. `stale` are places of
    objects that an earlier version had and this one has not.
    """

    record: Installed | None
    existing: frozenset[Ref]
    foreign: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    unserved: tuple[str, ...] = ()
    stale: tuple[tuple[Resource, str], ...] = ()

    @property
    def missing(self) -> list[Ref]:
        """The objects that are not there."""
        return [ref for ref in self.refs if ref not in self.existing]


@dataclass(slots=True)
class Kinds:
    """Kinds as the server serves them, or as definitions say that are still to be sent."""

    gateway: Gateway
    defined: dict[tuple[str, str], Resource] = field(default_factory=dict)
    served: dict[tuple[str, str], Resource] = field(default_factory=dict)

    def add(self, manifests: Iterable[Manifest]) -> None:
        """Learn the kinds that definitions among the manifests define."""
        for manifest in manifests:
            if manifest["kind"] == DEFINITION:
                spec = manifest["spec"]
                names, namespaced = spec["names"], spec["scope"] == "Namespaced"
                for version in (one["name"] for one in spec["versions"]):
                    found = Resource(spec["group"], version, names["plural"], names["kind"], namespaced=namespaced)
                    self.defined[found.api_version, found.kind] = found

    async def find(self, api_version: str, kind: str) -> Resource:
        """Raises NotFound if neither the server nor a definition has it."""
        key = (api_version, kind)
        if key in self.served:
            return self.served[key]
        try:
            self.served[key] = await self.gateway.discover(api_version, kind)
        except NotFound:
            if key not in self.defined:
                raise
            return self.defined[key]
        return self.served[key]


async def identify(kinds: Kinds, installation: Installation) -> Target:
    """Find out which objects a component has; `kinds` knows the definitions of all components."""
    wanted = {(one["apiVersion"], one["kind"]) for one in installation.everything}
    wanted |= {(one.api_version, one.kind) for one in installation.hooks}
    try:
        resources = {key: await kinds.find(*key) for key in sorted(wanted)}
    except NotFound as error:
        raise NotFound(f"{installation.title}: {error.message}", status=404, hint=error.hint) from error
    refs = dict.fromkeys(_ref(one, resources, installation) for one in installation.everything)
    return Target(installation=installation, refs=tuple(refs), resources=resources)


async def look(gateway: Client, kinds: Kinds, target: Target, record: Installed | None) -> Found:
    """Ask for every object of a component."""
    installation = target.installation
    existing, foreign = await _existing(gateway, kinds, target, record)
    conflicts = await _conflicts(gateway, installation, existing)
    foreign += await _foreign_release(gateway, installation, record)
    return Found(
        installation=installation,
        record=record,
        refs=target.refs,
        resources=target.resources,
        existing=frozenset(existing),
        foreign=tuple(foreign),
        conflicts=tuple(conflicts),
        unserved=tuple([one for one in installation.serves if not await _serves(gateway, one)]),
        stale=tuple([place async for place in _stale(kinds, target, record)]),
    )


async def _stale(kinds: Kinds, target: Target, record: Installed | None) -> AsyncIterator[tuple[Resource, str]]:
    for ref in record.objects if record is not None else ():
        if ref not in target.refs and ref.kind not in (DEFINITION, NAMESPACE):
            with suppress(NotFound):
                yield await kinds.find(ref.api_version, ref.kind), ref.namespace


def _ref(manifest: Manifest, resources: Mapping[tuple[str, str], Resource], installation: Installation) -> Ref:
    """Which object a manifest is; one that names no namespace is in that of the release."""
    namespace = installation.release.namespace if installation.release is not None else "default"
    api_version, kind, metadata = manifest["apiVersion"], manifest["kind"], manifest["metadata"]
    place = metadata.get("namespace") or namespace if resources[api_version, kind].namespaced else ""
    return Ref(api_version, kind, place, metadata["name"])


async def _existing(
    gateway: Gateway, kinds: Kinds, target: Target, record: Installed | None
) -> tuple[set[Ref], list[str]]:
    """The objects that are there, and those of them that are somebody else's; one list per kind and namespace."""
    places: dict[tuple[str, str, str], set[str]] = {}
    for ref in target.refs:
        places.setdefault((ref.api_version, ref.kind, ref.namespace), set()).add(ref.name)
    existing: set[Ref] = set()
    foreign: list[Ref] = []

    async def ask(place: tuple[str, str, str]) -> None:
        api_version, kind, namespace = place
        if (api_version, kind) not in kinds.served:
            return
        resource = target.resources[api_version, kind]
        async for page in gateway.pages(resource, namespace=namespace or None, metadata_only=True):
            for item in page:
                if item["metadata"]["name"] in places[place]:
                    ref = Ref(api_version, kind, namespace, item["metadata"]["name"])
                    existing.add(ref)
                    # Everybody may use a namespace, so that one that exists says nothing.
                    if kind != NAMESPACE and not is_ours(item, ref, record):
                        foreign.append(ref)

    for _, error in await for_each(places, ask):
        raise error
    return existing, [str(ref) for ref in sorted(foreign, key=lambda ref: (ref.kind != DEFINITION, ref))]


def is_ours(item: Manifest, ref: Ref, record: Installed | None) -> bool:
    """Whether knavtool sent an object, or the Helm that it started."""
    if record is not None and ref in record.objects:
        return True
    if record is not None and record.release is not None and released_by(item) == record.release:
        return True
    return KEPT in (item["metadata"].get("labels") or {})


async def _foreign_release(gateway: Gateway, installation: Installation, record: Installed | None) -> list[str]:
    """A Helm release of the same name that knavtool did not make."""
    release = installation.release
    if release is None or (record is not None and record.release == (release.name, release.namespace)):
        return []
    found = await driver(gateway, (release.name, release.namespace))
    return [f"Helm release {release.namespace}/{release.name}"] if found else []


async def _conflicts(gateway: Gateway, installation: Installation, existing: set[Ref]) -> list[str]:
    """Definitions that are there at a version that cannot become the wanted one."""
    conflicts = []
    names = {ref.name for ref in existing if ref.kind == DEFINITION}
    for manifest in installation.everything:
        name = manifest["metadata"]["name"]
        if manifest["kind"] != DEFINITION or name not in names:
            continue
        there = await gateway.get(CUSTOM_RESOURCE_DEFINITIONS, name)
        wanted = {one["name"] for one in manifest["spec"]["versions"]}
        stored = set(there.get("status", {}).get("storedVersions") or ())
        if stored - wanted:
            has = ", ".join(one["name"] for one in there["spec"]["versions"])
            unknown, known = ", ".join(sorted(stored - wanted)), ", ".join(sorted(wanted))
            conflicts.append(
                f"{DEFINITION} {name} of another version is there: it has {has}, and objects stored as {unknown}, "
                f"which {installation.title} does not know (it has {known})"
            )
    return conflicts


async def _serves(client: Client, group_version: str) -> bool:
    path = f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"
    try:
        await client.transport.request("GET", path, f"ask for {group_version}")
    except NotFound:
        return False
    return True
