"""What others made of the kinds or in the namespaces that knavtool is about to remove."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.cluster.engines.existing.installation import Ref
from knavtool.cluster.engines.existing.look import released_by
from knavtool.errors import ClusterError, NotFound
from knavtool.kube.concurrency import for_each
from knavtool.kube.resource import Resource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from knavtool.cluster.engines.existing.installed import Installed
    from knavtool.kube.client import Client
    from knavtool.kube.resource import Manifest

_CONTROL_PLANE = frozenset({"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kwok"})
_PASSING = frozenset({"Event", "Lease", "Endpoints", "EndpointSlice", "PodMetrics"})
_GIVEN = frozenset({("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")})
"""What Kubernetes puts into every namespace."""
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


@dataclass(frozen=True, slots=True)
class Ours:
    """What knavtool installed, all components together: how its objects are told from those of others."""

    objects: frozenset[Ref]
    releases: frozenset[tuple[str, str]]
    programs: frozenset[str]

    @classmethod
    def of(cls, records: Iterable[Installed]) -> Ours:
        """What the records say."""
        known = list(records)
        return cls(
            objects=frozenset(ref for one in known for ref in one.objects),
            releases=frozenset(one.release for one in known if one.release is not None),
            programs=frozenset(name for one in known for name in one.programs) | _CONTROL_PLANE,
        )

    def has(self, item: Manifest, ref: Ref) -> bool:
        """Whether an object goes with the components: sent by knavtool, by Helm for it, or made by a controller.

        A controller shows in `managedFields`, where it signs with the name of its program. What has an owner goes with
        that, and is the owner's.
        """
        metadata = item["metadata"]
        if ref in self.objects or released_by(item) in self.releases or metadata.get("ownerReferences"):
            return True
        managers = {one.get("manager", "") for one in metadata.get("managedFields") or ()}
        return bool(managers) and managers <= self.programs


async def users_objects(client: Client, definition: Manifest, ours: Ours) -> list[Ref]:
    """The objects of a CustomResourceDefinition that are not ours."""
    spec = definition["spec"]
    # In the version in which they are stored, they can be listed without the component's help.
    version = next(one["name"] for one in spec["versions"] if one["storage"])
    names = spec["names"]
    resource = Resource(
        spec["group"], version, names["plural"], names["kind"], namespaced=spec["scope"] == "Namespaced"
    )
    found = []
    try:
        async for page in client.pages(resource, metadata_only=True):
            found += [ref for item in page if not ours.has(item, ref := _ref(item, resource))]
    except NotFound:
        return []  # it is not served (any more), so nobody can have objects of it
    return found


async def foreign_objects(client: Client, namespace: str, ours: Ours) -> list[Ref]:
    """The objects in a namespace that are not ours, nor Kubernetes' own."""
    found: list[Ref] = []

    async def ask(resource: Resource) -> None:
        async for page in client.pages(resource, namespace=namespace, metadata_only=True):
            for item in page:
                ref = _ref(item, resource)
                if (ref.kind, ref.name) not in _GIVEN and not ours.has(item, ref) and not _helms(item):
                    found.append(ref)

    kinds = [one for one in await _namespaced_kinds(client) if one.kind not in _PASSING]
    for resource, error in await for_each(kinds, ask):
        if not isinstance(error, NotFound):
            raise ClusterError(f"{resource} in namespace {namespace}: {error.message}", status=error.status)
    return sorted(found)


async def _namespaced_kinds(client: Client) -> list[Resource]:
    """All kinds in namespaces that can be listed, each in the version that the server prefers."""
    kinds: dict[tuple[str, str], Resource] = {}
    for path in ("/api", "/apis"):
        answer = await client.transport.request("GET", path, "find all kinds", headers={"Accept": _DISCOVERY})
        for group in answer.get("items") or ():
            name = (group.get("metadata") or {}).get("name", "")
            for version in group.get("versions") or ():
                for one in version.get("resources") or ():
                    if one["scope"] == "Namespaced" and {"list", "delete"} <= set(one["verbs"]):
                        found = Resource(
                            name, version["version"], one["resource"], one["responseKind"]["kind"], namespaced=True
                        )
                        kinds.setdefault((name, found.plural), found)
    return list(kinds.values())


def _ref(item: Manifest, resource: Resource) -> Ref:
    metadata = item["metadata"]
    return Ref(resource.api_version, resource.kind, metadata.get("namespace", ""), metadata["name"])


def _helms(item: Manifest) -> bool:
    """Whether this is where Helm keeps a release: it says nothing about the namespace that its objects do not."""
    return (item["metadata"].get("labels") or {}).get("owner") == "helm"
