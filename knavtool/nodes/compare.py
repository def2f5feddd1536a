"""What separates the cluster's virtual nodes from the rendered ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.documents.entries import VIRTUAL
from knavtool.errors import Conflict
from knavtool.kube.resource import NODES
from knavtool.nodes.desired import by_name, prepare
from knavtool.nodes.devices import compare_devices
from knavtool.nodes.diff import Change, change
from knavtool.nodes.helm_records import require_only_nodes
from knavtool.nodes.name_ranges import format_name_ranges
from knavtool.nodes.ownership import Owner, is_applied, owned, owner_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.kube.gateway import Gateway
    from knavtool.nodes.desired import Desired
    from knavtool.nodes.devices import DeviceDifference
    from knavtool.render.nodes import NodeSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What separates the cluster from the values file; `removed` maps names to uids."""

    created: tuple[str, ...] = ()
    changed: tuple[Change, ...] = ()
    unchanged: int = 0
    removed: Mapping[str, str] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """The difference for people; nodes with the same change share a line."""
        for name_range in format_name_ranges(self.created):
            yield f"+ {name_range}"
        grouped: dict[tuple[str, ...], list[str]] = {}
        for item in self.changed:
            grouped.setdefault(item.lines, []).append(item.name)
        for lines, names in grouped.items():
            for name_range in format_name_ranges(names):
                yield f"~ {name_range}"
            for line in lines:
                yield f"    {line}"
        for name_range in format_name_ranges(self.removed):
            yield f"- {name_range}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is wanted and what differs.

    `desired` are the wanted nodes by name, `taken` those that would be taken from others, with these owners, and `uids`
    those of all virtual nodes there are. `applied` are nodes to remove that `nodes apply` made.
    """

    desired: Mapping[str, Desired]
    nodes: Difference
    devices: DeviceDifference
    taken: Mapping[str, Owner]
    uids: Mapping[str, str]
    applied: Sequence[str] = ()

    def lines(self) -> Iterator[str]:
        """The difference for people."""
        yield from self.nodes.lines()
        yield from self.devices.lines()


async def compare(gateway: Gateway, nodes: NodeSet, *, prune: bool = True, take_ownership: bool = False) -> Comparison:
    """Read the cluster's virtual nodes and their devices in pages and keep only what differs.

    Raises Conflict if a wanted node or slice belongs to somebody else and `take_ownership` is not given, or to a Helm
    release that holds other objects too.
    """
    nodes = owned(nodes)
    desired = dict(by_name(prepare(nodes)))
    missing = dict.fromkeys(desired)
    changed: list[Change] = []
    removed: dict[str, str] = {}
    taken: dict[str, Owner] = {}
    conflicts: dict[str, Owner] = {}
    others: dict[str, tuple[str, Owner]] = {}
    applied: list[str] = []
    uids: dict[str, str] = {}
    async for page in gateway.pages(NODES, label_selector=VIRTUAL):
        for node in page:
            name = node["metadata"]["name"]
            owner = owner_of(node)
            uids[name] = node["metadata"]["uid"]
            if name not in desired:
                others[name] = (uids[name], owner)
                if is_applied(node):
                    applied.append(name)
                continue
            missing.pop(name, None)
            if not owner.ours and not take_ownership:
                conflicts[name] = owner
                continue
            if not owner.ours:
                taken[name] = owner
            if (needed := change(desired[name], node)) is not None:
                changed.append(needed)
    if conflicts:
        raise _owned_by_others(conflicts)
    releases = {owner for owner in taken.values() if owner.release}
    if prune:
        removed = {name: uid for name, (uid, owner) in others.items() if owner.ours or owner in releases}
    for release in releases:
        await require_only_nodes(gateway, release, taken={*taken, *removed}, staying=uids)
    unchanged = len(desired) - len(missing) - len(changed)
    devices = await compare_devices(
        gateway, nodes, uids=uids, prune=prune, take_ownership=take_ownership, releases=releases
    )
    return Comparison(
        desired=desired,
        nodes=Difference(created=tuple(missing), changed=tuple(changed), unchanged=unchanged, removed=removed),
        devices=devices,
        taken=taken,
        uids=uids,
        applied=[name for name in applied if name in removed],
    )


def _owned_by_others(conflicts: Mapping[str, Owner]) -> Conflict:
    name, owner = next(iter(conflicts.items()))
    more = f" (and {len(conflicts) - 1} more)" if len(conflicts) > 1 else ""
    return Conflict(
        f"node {name}{more} belongs to {owner}; nothing was changed",
        status=409,
        hint="--take-ownership moves the nodes to knavtool"
        + ("" if not owner.release else f", or `helm uninstall {owner.release} -n {owner.namespace}` removes them"),
    )
