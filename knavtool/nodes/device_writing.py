"""Writes the difference between the devices of the cluster and those of a values file, many nodes at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.errors import AlreadyExists, NotFound
from knavtool.kube.concurrency import for_each
from knavtool.kube.resource import DEVICE_CLASSES, RESOURCE_SLICES
from knavtool.nodes.ownership import HELM_NAMESPACE, HELM_RELEASE
from knavtool.nodes.writing import summed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.events import Step
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest, Resource
    from knavtool.nodes.devices import DeviceDifference
    from knavtool.nodes.pools import Pool

_NOT_HELMS = {HELM_RELEASE: None, HELM_NAMESPACE: None}


async def write_devices(gateway: Gateway, difference: DeviceDifference, uids: Mapping[str, str], *, step: Step) -> None:
    """Write classes, then slices, then remove the classes nothing uses; `uids` are those of the nodes.

    An interruption leaves nothing that nobody finds again: slices go with their nodes, and the next call compares anew.
    Raises one error for all nodes that were refused.
    """
    for change in difference.classes:
        await _write(gateway, DEVICE_CLASSES, change.body, exists=bool(change.lines))
    pools = {pool.node: pool for pool in (*difference.created, *difference.changed)}
    done, total = 0, len(pools) + len(difference.slices)

    def count() -> None:
        nonlocal done
        done += 1
        if done % max(total // 100, 1) == 0 or done == total:
            step.progress(done, total)

    async def remove(name: str) -> None:
        await gateway.delete(RESOURCE_SLICES, name, uid=difference.slices[name])
        count()

    async def write(node: str) -> None:
        await _write_pool(gateway, pools[node], uids[node])
        count()

    refused = await for_each(difference.slices, remove)
    refused += await for_each(pools, write)
    if refused:
        raise summed(refused, total, "devices of nodes")
    for name, uid in difference.removed_classes.items():
        await gateway.delete(DEVICE_CLASSES, name, uid=uid)


async def _write_pool(gateway: Gateway, pool: Pool, uid: str) -> None:
    for manifest in pool.manifests(uid):
        name = manifest["metadata"]["name"]
        if name in pool.stale:
            # Not changed but replaced: the garbage collector may be about to remove it with the earlier node.
            await gateway.delete(RESOURCE_SLICES, name, uid=pool.stale[name])
        await _write(gateway, RESOURCE_SLICES, manifest, exists=name in pool.live)


async def _write(gateway: Gateway, resource: Resource, manifest: Manifest, *, exists: bool) -> None:
    """Create or patch, and the other way round if somebody was faster."""
    name = manifest["metadata"]["name"]
    if not exists:
        try:
            await gateway.create(resource, manifest)
        except AlreadyExists:
            await gateway.patch(resource, name, _patch(manifest))
        return
    try:
        await gateway.patch(resource, name, _patch(manifest))
    except NotFound:
        await gateway.create(resource, manifest)


def _patch(manifest: Manifest) -> Manifest:
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "name"}
    return {"metadata": {**metadata, "annotations": _NOT_HELMS}, "spec": manifest["spec"]}
