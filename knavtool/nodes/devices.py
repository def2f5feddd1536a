"""What separates the devices of the cluster's virtual nodes from the wanted ones: slices and device classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.documents.entries import VIRTUAL
from knavtool.errors import Conflict, Forbidden, NotFound
from knavtool.kube.resource import DEVICE_CLASSES, RESOURCE_SLICES
from knavtool.nodes.name_ranges import format_name_ranges
from knavtool.nodes.ownership import owner_of
from knavtool.nodes.pools import pool_of, read_slice
from knavtool.render.nodes import STAMP

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator, Mapping

    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest, Manifests, Resource
    from knavtool.nodes.ownership import Owner
    from knavtool.nodes.pools import LiveSlice, Pool
    from knavtool.render.nodes import NodeBatch, NodeSet


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassChange:
    """A device class to create, or to change if there are `lines` that say what."""

    body: Manifest
    lines: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the class and of its driver."""
        return str(self.body["metadata"]["name"])


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceDifference:
    """What separates the cluster's devices from the values file; all devices of a node count as one.

    `slices` are to be removed, by name with their uids; `removed` names the nodes that lose all devices of a driver.
    """

    created: tuple[Pool, ...] = ()
    changed: tuple[Pool, ...] = ()
    unchanged: int = 0
    removed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    slices: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[ClassChange, ...] = ()
    removed_classes: Mapping[str, str] = field(default_factory=dict)

    @property
    def writes(self) -> int:
        """How much there is to do."""
        pools = len(self.created) + len(self.changed)
        return pools + len(self.slices) + len(self.classes) + len(self.removed_classes)

    def lines(self) -> Iterator[str]:
        """The difference for people; nodes with the same change share a line."""
        for change in self.classes:
            yield f"{'~' if change.lines else '+'} device class {change.name}"
            yield from (f"    {line}" for line in change.lines)
        for sign, pools in (("+", self.created), ("~", self.changed)):
            grouped: dict[tuple[str, tuple[str, ...]], list[str]] = {}
            for pool in pools:
                grouped.setdefault((pool.driver, pool.lines), []).append(pool.node)
            for (driver, lines), names in grouped.items():
                yield from (f"{sign} devices of {driver} on {name_range}" for name_range in format_name_ranges(names))
                yield from (f"    {line}" for line in lines)
        for driver, losing in self.removed.items():
            yield from (f"- devices of {driver} on {name_range}" for name_range in format_name_ranges(losing))
        yield from (f"- device class {name}" for name in self.removed_classes)

    def __str__(self) -> str:
        removed = sum(len(names) for names in self.removed.values())
        return (
            f"{len(self.created)} created, {len(self.changed)} changed, {self.unchanged} unchanged, {removed} removed"
        )

    @property
    def concerns(self) -> bool:
        """Whether there are devices at all, here or there."""
        return bool(self.writes or self.unchanged)


async def compare_devices(
    gateway: Gateway,
    nodes: NodeSet,
    *,
    uids: Mapping[str, str],
    prune: bool,
    take_ownership: bool = False,
    releases: Collection[Owner] = (),
) -> DeviceDifference:
    """Read all slices and device classes once and keep only what differs.

    `uids` are those of all virtual nodes there are. Of slices that nobody wants, those of wanted nodes and of nodes
    that are gone are removed in any case, others with `prune`. Raises Conflict for a slice or class of somebody else.
    """
    wanted = {
        prototype["metadata"]["name"].replace(STAMP, node): (node, prototype)
        for batch in nodes.batches
        for prototype in batch.slices
        for node in batch.names
    }
    batches = {node: batch for batch in nodes.batches for node in batch.names}
    pools: dict[tuple[str, str], list[LiveSlice]] = {}
    unwanted: list[LiveSlice] = []
    kept: set[str] = set()
    async for page in pages(gateway, RESOURCE_SLICES, needed=bool(wanted), label_selector=VIRTUAL):
        for item in page:
            _, prototype = wanted.get(item["metadata"]["name"], (None, None))
            live = read_slice(item, prototype)
            ours = live.owner.ours or live.owner in releases
            if prototype is None and not ours:
                continue
            if prototype is not None and not ours and not take_ownership:
                raise _foreign("resource slice", live.name, live.owner)
            if prototype is None and not prune and live.node not in batches and live.node in uids:
                kept.add(live.driver)
                continue
            if prototype is None:
                unwanted.append(live)
            pools.setdefault((live.node, live.driver), []).append(live)
    created, changed, unchanged = _pools(batches, uids, pools)
    wanted_pools = {(node, prototype["spec"]["driver"]) for node, prototype in wanted.values()}
    removed: dict[str, dict[str, None]] = {}
    for live in unwanted:
        if (live.node, live.driver) not in wanted_pools:
            removed.setdefault(live.driver, {})[live.node] = None
    classes, removed_classes = await _classes(
        gateway, nodes, kept, needed=bool(wanted), take_ownership=take_ownership, releases=releases
    )
    return DeviceDifference(
        created=tuple(created),
        changed=tuple(changed),
        unchanged=unchanged,
        removed={driver: tuple(names) for driver, names in removed.items()},
        slices={live.name: live.uid for live in unwanted},
        classes=classes,
        removed_classes=removed_classes,
    )


async def count_gpus(gateway: Gateway) -> dict[str, int]:
    """How many devices each virtual node has of drivers such as `gpu.nvidia.com`; nodes without any are left out."""
    counts: dict[str, int] = {}
    async for page in pages(gateway, RESOURCE_SLICES, needed=False, label_selector=VIRTUAL):
        for item in page:
            spec = item["spec"]
            if spec["driver"].startswith("gpu."):
                node = spec.get("nodeName", "")
                counts[node] = counts.get(node, 0) + len(spec.get("devices") or ())
    return counts


async def pages(
    gateway: Gateway, resource: Resource, *, needed: bool, label_selector: str = ""
) -> AsyncIterator[Manifests]:
    """All objects of a kind of DRA in pages; if they are not `needed`, none where the server does not show them."""
    try:
        async for page in gateway.pages(resource, label_selector=label_selector):
            yield page
    except (NotFound, Forbidden) as error:
        if not needed:
            return
        if isinstance(error, Forbidden):
            raise
        raise NotFound(
            f"the cluster does not serve {resource.api_version} {resource.kind}, which devices of nodes need",
            status=error.status,
            hint="dynamic resource allocation needs Kubernetes 1.34, resource names of devices need 1.36",
        ) from error


def _pools(
    batches: Mapping[str, NodeBatch], uids: Mapping[str, str], found: Mapping[tuple[str, str], list[LiveSlice]]
) -> tuple[list[Pool], list[Pool], int]:
    """Pools to create, pools to change, and the number of those that are as they should be."""
    created: list[Pool] = []
    changed: list[Pool] = []
    unchanged = 0
    for node, batch in batches.items():
        if not batch.slices:
            continue
        pool = pool_of(batch, node, uids.get(node), found.get((node, batch.slices[0]["spec"]["driver"]), ()))
        if pool is None:
            unchanged += 1
        else:
            (changed if pool.lines else created).append(pool)
    return created, changed, unchanged


async def _classes(
    gateway: Gateway,
    nodes: NodeSet,
    kept: Collection[str],
    *,
    needed: bool,
    take_ownership: bool,
    releases: Collection[Owner],
) -> tuple[tuple[ClassChange, ...], dict[str, str]]:
    """Classes to write, and those of ours that no slice of ours needs any more."""
    missing = {item["metadata"]["name"]: item for item in nodes.device_classes}
    changes: list[ClassChange] = []
    removed: dict[str, str] = {}
    async for page in pages(gateway, DEVICE_CLASSES, needed=needed):
        for item in page:
            name, owner = item["metadata"]["name"], owner_of(item)
            ours = owner.ours or owner in releases
            body = missing.pop(name, None)
            if body is None:
                if ours and name not in kept:
                    removed[name] = item["metadata"]["uid"]
                continue
            lines = tuple(_differences(item["spec"], body["spec"]))
            if not ours and not take_ownership:
                # Somebody else's class will do, as long as it says the same.
                if lines:
                    raise _foreign("device class", name, owner, "; ".join(lines))
            elif lines or not owner.ours:
                changes.append(ClassChange(body=body, lines=lines or (f"owner: {owner} -> knavtool",)))
    changes += [ClassChange(body=body) for body in missing.values()]
    return tuple(changes), removed


def _differences(live: Manifest, wanted: Manifest) -> Iterator[str]:
    for key, value in wanted.items():
        if live.get(key) != value:
            yield f"{key}: {live.get(key, 'none')!r} -> {value!r}"


def _foreign(what: str, name: str, owner: Owner, why: str = "") -> Conflict:
    return Conflict(
        f"{what} {name} belongs to {owner}{f' and is not as wanted ({why})' if why else ''}; nothing was changed",
        status=409,
        hint=f"--take-ownership gives the {what} to knavtool",
    )
