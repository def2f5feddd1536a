"""The nodes this tool made: listing and deleting them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.kube.concurrency import for_each
from knavtool.kube.resource import NODES
from knavtool.nodes.device_writing import write_devices
from knavtool.nodes.devices import compare_devices, count_gpus
from knavtool.nodes.ownership import SELECTOR
from knavtool.nodes.readiness import is_ready
from knavtool.nodes.writing import summed
from knavtool.render.nodes import NodeSet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from knavtool.events import Steps
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """One node of ours; resources are quantities as the server writes them. `gpus` counts devices of DRA too."""

    name: str
    ready: bool
    cordoned: bool
    cpu: str
    memory: str
    gpus: str
    created: str


async def list_nodes(gateway: Gateway) -> AsyncIterator[NodeRow]:
    """The nodes this tool made, in the server's order of names."""
    devices = await count_gpus(gateway)
    async for page in gateway.pages(NODES, label_selector=SELECTOR):
        for node in page:
            yield _row(node, devices.get(node["metadata"]["name"], 0))


async def our_names(gateway: Gateway) -> list[str]:
    """The names of all nodes this tool made."""
    names: list[str] = []
    async for page in gateway.pages(NODES, label_selector=SELECTOR, metadata_only=True):
        names.extend(node["metadata"]["name"] for node in page)
    return names


async def delete_nodes(gateway: Gateway, names: Iterable[str], *, steps: Steps) -> int:
    """Delete nodes of ours; names that do not exist or belong to somebody else are left alone.

    Their devices go before them, so that a node that comes back under the same name meets none of them; so do devices
    of ours whose node is gone. Returns how many nodes were deleted.
    """
    wanted = set(names)
    uids: dict[str, str] = {}
    staying: dict[str, str] = {}
    async for page in gateway.pages(NODES, label_selector=SELECTOR, metadata_only=True):
        for node in page:
            name = node["metadata"]["name"]
            (uids if name in wanted else staying)[name] = node["metadata"]["uid"]
    devices = await compare_devices(gateway, NodeSet(batches=()), uids=staying, prune=False)
    if devices.writes:
        with steps.step("nodes", "delete devices") as step:
            await write_devices(gateway, devices, staying, step=step)
            step.message = str(devices)
    if not uids:
        return 0
    deleted = 0
    with steps.step("nodes", "delete", f"{len(uids)} nodes") as step:

        async def delete(name: str) -> None:
            nonlocal deleted
            if await gateway.delete(NODES, name, uid=uids[name]):
                deleted += 1
            if deleted % max(len(uids) // 100, 1) == 0:
                step.progress(deleted, len(uids))

        refused = await for_each(uids, delete)
        if refused:
            raise summed(refused, len(uids))
        step.message = f"{deleted} deleted"
    return deleted


def _row(node: Manifest, devices: int) -> NodeRow:
    capacity = node.get("status", {}).get("allocatable") or {}
    return NodeRow(
        name=node["metadata"]["name"],
        ready=is_ready(node),
        cordoned=bool(node.get("spec", {}).get("unschedulable")),
        cpu=capacity.get("cpu", "0"),
        memory=capacity.get("memory", "0"),
        gpus=str(devices or capacity.get("nvidia.com/gpu", "0")),
        created=node["metadata"].get("creationTimestamp", ""),
    )
