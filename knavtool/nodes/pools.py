"""The ResourceSlices of one node's devices, as they are and as they should be. Pure.

The slices of a driver on a node are a pool. Whoever changes one of them has to give all of them a higher generation:
until every slice of the newest generation is there, the scheduler takes no device of the pool.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from knavtool.documents.quantity import equal
from knavtool.nodes.ownership import owner_of
from knavtool.render.nodes import STAMP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.kube.resource import Manifest
    from knavtool.nodes.ownership import Owner
    from knavtool.render.nodes import NodeBatch

FIRST_GENERATION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSlice:
    """What matters of a slice in the cluster; `node_uid` is that of its owner, empty if it has none.

    `devices` are None when the slice is as it should be, so that those of ten thousand nodes do not lie in memory.
    """

    name: str
    uid: str
    driver: str
    node: str
    owner: Owner
    node_uid: str
    generation: int
    count: int
    devices: Sequence[Manifest] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What to write for one node. Of its slices, `live` ones are changed, `stale` ones belong to an earlier node of
    that name and are replaced, all others are created; `lines` say it to people."""

    node: str
    driver: str
    batch: NodeBatch
    generation: int
    live: frozenset[str] = frozenset()
    stale: Mapping[str, str] = field(default_factory=dict)
    lines: tuple[str, ...] = ()

    def manifests(self, uid: str) -> Iterator[Manifest]:
        """The slices of the node with this uid; the garbage collector removes them with it."""
        for manifest in self.batch.slice_manifests(self.node):
            owner = {"apiVersion": "v1", "kind": "Node", "name": self.node, "uid": uid, "controller": True}
            manifest["metadata"]["ownerReferences"] = [owner]
            manifest["spec"]["pool"]["generation"] = self.generation
            yield manifest


def read_slice(live: Manifest, wanted: Manifest | None) -> LiveSlice:
    """What matters of a slice; `wanted` is its prototype, None if nobody wants it."""
    metadata, spec = live["metadata"], live["spec"]
    devices = spec.get("devices") or []
    owners = [owner["uid"] for owner in metadata.get("ownerReferences") or () if owner["kind"] == "Node"]
    return LiveSlice(
        name=metadata["name"],
        uid=metadata["uid"],
        driver=spec["driver"],
        node=spec.get("nodeName", ""),
        owner=owner_of(live),
        node_uid=owners[0] if owners else "",
        generation=spec["pool"]["generation"],
        count=len(devices),
        devices=None if wanted is not None and _fits(spec, wanted["spec"]) else devices,
    )


def pool_of(batch: NodeBatch, node: str, uid: str | None, found: Sequence[LiveSlice]) -> Pool | None:
    """What to write for a node, or None; `uid` is None while there is no such node.

    `found` are all slices of the node's driver that the cluster has for it, also those that nobody wants any more.
    """
    names = [prototype["metadata"]["name"].replace(STAMP, node) for prototype in batch.slices]
    by_name = {live.name: live for live in found}
    fitting = (
        set(names) == by_name.keys()
        and all(live.devices is None for live in found)
        and len({live.generation for live in found}) == 1
    )
    if fitting and all(live.owner.ours and live.node_uid == uid for live in found):
        return None
    newest = max((live.generation for live in found), default=FIRST_GENERATION - 1)
    stale = {live.name: live.uid for live in found if live.name in names and live.node_uid not in ("", uid)}
    return Pool(
        node=node,
        driver=batch.slices[0]["spec"]["driver"],
        batch=batch,
        generation=newest if fitting else newest + 1,
        live=frozenset(names) & by_name.keys() - stale.keys(),
        stale=stale,
        lines=tuple(_lines(batch, names, by_name)) if by_name.keys() & set(names) else (),
    )


def _fits(live: Manifest, wanted: Manifest) -> bool:
    pool, wanted_pool = live["pool"], wanted["pool"]
    return pool.get("resourceSliceCount") == wanted_pool["resourceSliceCount"] and _same_devices(
        live.get("devices") or [], wanted["devices"]
    )


def _same_devices(live: list[Manifest], wanted: list[Manifest]) -> bool:
    if live == wanted:
        return True
    # The server may write a quantity in another form than the one it was given.
    return len(live) == len(wanted) and all(
        _rest(one) == _rest(other) and _same_capacity(one.get("capacity", {}), other.get("capacity", {}))
        for one, other in zip(live, wanted, strict=True)
    )


def _rest(device: Manifest) -> Manifest:
    return {key: value for key, value in device.items() if key != "capacity"}


def _same_capacity(live: Manifest, wanted: Manifest) -> bool:
    return live.keys() == wanted.keys() and all(
        _rest_of_capacity(live[key]) == {} and equal(live[key]["value"], wanted[key]["value"]) for key in wanted
    )


def _rest_of_capacity(capacity: Manifest) -> Manifest:
    return {key: value for key, value in capacity.items() if key != "value"}


def _lines(batch: NodeBatch, names: Sequence[str], found: Mapping[str, LiveSlice]) -> Iterator[str]:
    before = sum(live.count for live in found.values())
    after = sum(len(prototype["spec"]["devices"]) for prototype in batch.slices)
    listed = before != after
    if listed:
        yield f"devices: {before} -> {after}"
    first = found.get(names[0])
    if first is not None and first.devices:
        live, wanted = first.devices[0], batch.slices[0]["spec"]["devices"][0]
        for part in ("attributes", "capacity"):
            old, new = live.get(part, {}), wanted.get(part, {})
            for key in sorted(old.keys() | new.keys()):
                before_text, after_text = _shown(old.get(key)), _shown(new.get(key))
                if not equal(before_text, after_text):
                    listed = True
                    yield f"{part}.{key}: {before_text} -> {after_text}"
    if not listed:
        differs = any(live.devices is not None for live in found.values()) or found.keys() != set(names)
        yield "devices: as the file gives them" if differs else "owner: the node"


def _shown(value: Mapping[str, Any] | None) -> str:
    return "none" if value is None else ", ".join(str(inner) for inner in value.values())
