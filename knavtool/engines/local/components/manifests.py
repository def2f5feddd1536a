"""What a component has in the cluster: objects that are created and removed, and what a dead process left there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.engines.local.control_plane.health import origin
from knavtool.errors import EngineError, NotFound
from knavtool.kube.concurrency import for_each
from knavtool.kube.waiting import until, until_established
from knavtool.render.components import key

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from knavtool.catalogue.records import ProcessSpec
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Resource
    from knavtool.kube.waiting import State
    from knavtool.render.components import Key
    from knavtool.render.manifests import Manifest, ManifestSet

_GONE_WITHIN = 100.0
DEFINITION = "CustomResourceDefinition"
API_SERVICE = "APIService"


async def install(
    gateway: Gateway,
    wanted: ManifestSet,
    *,
    after: Collection[str] = (),
    heard: Callable[[str], None] = lambda _: None,
) -> list[Manifest]:
    """Create the objects that do not exist; returns those that were made. The caller bounds the time.

    What exists stays as it is: somebody may have changed it on purpose. Objects come when the definitions in `after`
    and those among them are served, and when their namespaces are there; `heard` gets those that are not served yet.
    """
    existing = await _existing(gateway, wanted)
    missing = [manifest for manifest in wanted if key(manifest) not in existing]
    first = [manifest for manifest in missing if manifest["kind"] == "Namespace"]
    await _create(gateway, first)
    definitions = [manifest for manifest in missing if manifest["kind"] == DEFINITION]
    await _create(gateway, definitions)
    names = [*after, *(one["metadata"]["name"] for one in definitions)]
    await until_established(gateway, names, timeout=None, heard=heard)
    await _create(gateway, [one for one in missing if one not in first and one not in definitions])
    return missing


async def install_webhooks(gateway: Gateway, wanted: ManifestSet) -> None:
    """Create the webhook configurations that do not exist or hold other webhooks than they should.

    Settings may have changed which there are since they were made. Raises EngineError for one that leads elsewhere:
    another component, or somebody else, has a configuration of that name.
    """
    existing = await _existing(gateway, wanted, whole=True)
    for one in wanted:
        if key(one) in existing and (others := _origins(existing[key(one)]) - _origins(one)):
            name = f"{one['kind']} {one['metadata']['name']}"
            there, here = (", ".join(sorted(origins)) for origins in (others, _origins(one)))
            message = f"{name} exists already and leads to {there}, not to {here}"
            raise EngineError(message, hint="another component claims that name: remove it, or rename one of the two")
    other = [one for one in wanted if key(one) in existing and _hooks(one) != _hooks(existing[key(one)])]
    await withdraw(gateway, other)
    await _create(gateway, [one for one in wanted if key(one) not in existing or one in other])


def _origins(manifest: Manifest) -> set[str]:
    """Where its webhooks are served."""
    configs = [hook.get("clientConfig", {}) for hook in manifest.get("webhooks", ())]
    return {origin(one["url"]) if "url" in one else "a Service" for one in configs}


def _hooks(manifest: Manifest) -> set[str]:
    return {hook["name"] for hook in manifest.get("webhooks", ())}


async def withdraw(gateway: Gateway, manifests: Iterable[Manifest]) -> None:
    """Delete objects, also if they are not there, and wait until they are gone.

    A definition goes when its objects have, a namespace when all in it has, and what has a finalizer when a controller
    has tidied up after it.
    """
    leaving: dict[Resource, set[tuple[str, str]]] = {}

    async def delete(manifest: Manifest) -> None:
        metadata = manifest["metadata"]
        try:
            resource = await gateway.discover(manifest["apiVersion"], manifest["kind"])
            await gateway.delete(resource, metadata["name"], namespace=metadata.get("namespace"))
        except NotFound:
            return
        leaving.setdefault(resource, set()).add((metadata.get("namespace", ""), metadata["name"]))

    refused = await for_each(list(manifests), delete, stop_on_error=True)
    if refused:
        raise refused[0][1]
    for resource, names in leaving.items():
        await _until_gone(gateway, resource, names)


async def _until_gone(gateway: Gateway, resource: Resource, names: Collection[tuple[str, str]]) -> None:
    def left(state: State) -> list[str]:
        return sorted(name for namespace, name in names if (namespace, name) in state)

    await until(
        gateway,
        resource,
        lambda state: None if left(state) else True,
        timeout=_GONE_WITHIN,
        describe=lambda state: f"{resource} {', '.join(left(state))} still there, kept by finalizers",
    )


async def remove_stale(gateway: Gateway, process: ProcessSpec) -> None:
    """Remove what the process left in the cluster when it died, so that a new one does not wait for it."""
    for kind in process.stale:
        resource = await gateway.discover(kind.api_version, kind.kind)
        await gateway.delete_collection(resource, namespace=kind.namespace)


async def _create(gateway: Gateway, manifests: list[Manifest]) -> None:
    async def create(manifest: Manifest) -> None:
        resource = await gateway.discover(manifest["apiVersion"], manifest["kind"])
        metadata = manifest["metadata"]
        if manifest["kind"] == DEFINITION:
            # For every field of an applied object the server remembers who applied it, and these are megabytes.
            await gateway.create(resource, manifest)
            return
        # The server lets a POST of a kind that is younger than two seconds wait that long, an apply not.
        await gateway.apply(resource, metadata["name"], manifest, namespace=metadata.get("namespace"))

    refused = await for_each(manifests, create, stop_on_error=True)
    if refused:
        raise refused[0][1]


async def _existing(gateway: Gateway, wanted: ManifestSet, *, whole: bool = False) -> dict[Key, Manifest]:
    """The objects of the wanted kinds that there are, `whole` or their metadata.

    One list per kind, and none of a kind that is not served yet.
    """
    found: dict[Key, Manifest] = {}
    for api_version, kind in {(manifest["apiVersion"], manifest["kind"]) for manifest in wanted}:
        try:
            resource = await gateway.discover(api_version, kind)
        except NotFound:
            continue
        async for page in gateway.pages(resource, metadata_only=not whole):
            for item in page:
                found[kind, item["metadata"].get("namespace", ""), item["metadata"]["name"]] = item
    return found
