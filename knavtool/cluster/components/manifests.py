"""What a component has in the cluster: its objects, and what a dead process of it left there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from knavtool import resources
from knavtool.errors import blamed
from knavtool.kube.concurrency import for_each
from knavtool.kube.waiting import until_established
from knavtool.render.components import key, render_component

if TYPE_CHECKING:
    from knavtool.cluster.components.records import Component
    from knavtool.cluster.toolchain.resolve import Toolchain
    from knavtool.kube.gateway import Gateway
    from knavtool.render.components import Key
    from knavtool.render.manifests import Manifest, ManifestSet

_SERVED_WITHIN = 30.0


async def manifests(component: Component, toolchain: Toolchain) -> ManifestSet:
    """Fetch the component's files, if they are not in the cache, and render its objects."""
    face = component.manifest
    assert face is not None  # noqa: S101 - only asked of components that have one
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(
                    toolchain.source_file(
                        url=file.url if file.sha256 else None,
                        sha256=file.sha256,
                        module=face.module,
                        version=component.version,
                        path=file.path,
                    )
                )
                for file in face.files
            ]
    except BaseExceptionGroup as errors:
        raise blamed(errors) from None
    return render_component(
        [task.result() for task in tasks], overrides=[resources.override(name) for name in face.overrides]
    )


async def install(gateway: Gateway, component: Component, wanted: ManifestSet) -> int:
    """Create the objects that do not exist; returns how many were made.

    What exists stays as it is: somebody may have changed it on purpose.
    """
    face = component.manifest
    assert face is not None  # noqa: S101 - only asked of components that have one
    await until_established(gateway, face.after, timeout=_SERVED_WITHIN)
    existing = await _existing(gateway, wanted)
    missing = [manifest for manifest in wanted if key(manifest) not in existing]

    async def create(manifest: Manifest) -> None:
        resource = await gateway.discover(manifest["apiVersion"], manifest["kind"])
        metadata = manifest["metadata"]
        # The API server lets a POST of a kind that is younger than two seconds wait that long, an apply not.
        await gateway.apply(resource, metadata["name"], manifest, namespace=metadata.get("namespace"))

    refused = await for_each(missing, create, stop_on_error=True)
    if refused:
        raise refused[0][1]
    return len(missing)


async def remove_stale(gateway: Gateway, component: Component) -> None:
    """Remove what a dead process of the component left in the cluster, so that a new one does not wait for it."""
    for kind in component.process.stale if component.process else ():
        resource = await gateway.discover(kind.api_version, kind.kind)
        await gateway.delete_collection(resource, namespace=kind.namespace)


async def _existing(gateway: Gateway, wanted: ManifestSet) -> set[Key]:
    """Which objects of the wanted kinds there are; one list per kind."""
    found: set[Key] = set()
    for api_version, kind in {(manifest["apiVersion"], manifest["kind"]) for manifest in wanted}:
        resource = await gateway.discover(api_version, kind)
        async for page in gateway.pages(resource, metadata_only=True):
            found.update((kind, item["metadata"].get("namespace", ""), item["metadata"]["name"]) for item in page)
    return found
