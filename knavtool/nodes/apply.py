"""Make the cluster's virtual nodes equal to the rendered ones: compare, write what differs, wait until Ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.nodes.compare import compare
from knavtool.nodes.device_writing import write_devices
from knavtool.nodes.leases import until_collected
from knavtool.nodes.readiness import wait_ready
from knavtool.nodes.writing import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from knavtool.events import Steps
    from knavtool.kube.gateway import Gateway
    from knavtool.render.nodes import NodeSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How many nodes `apply_nodes` created, changed, left alone and removed; `devices` says it of their devices."""

    created: int
    changed: int
    unchanged: int
    removed: int
    devices: str = ""

    def __str__(self) -> str:
        nodes = f"{self.created} created, {self.changed} changed, {self.unchanged} unchanged, {self.removed} removed"
        return f"{nodes}; devices of nodes: {self.devices}" if self.devices else nodes


async def apply_nodes(
    gateway: Gateway,
    nodes: NodeSet,
    *,
    steps: Steps,
    prune: bool = True,
    timeout: float | None = None,
    take_ownership: bool = False,
    created: Callable[[str], None] | None = None,
    removing: Callable[[Sequence[str]], None] | None = None,
) -> Summary:
    """Create, change and (with `prune`) remove nodes until the cluster's virtual nodes are the rendered ones.

    Their devices follow them, because slices name the uid of their node.
    Nodes are created by POST, which the server does at twice the rate of an apply, and changed by a minimal patch.
    `created` is called with each name before its node is created, `removing` with the names of nodes that `nodes apply`
    made before any of them is removed. After the writes it waits up to `timeout`
    seconds until the written nodes are Ready; None means for ever. A cancelled call leaves whole nodes only, and a note
    that says how many.
    """
    with steps.step("nodes", "compare", f"{len(nodes)} wanted") as step:
        comparison = await compare(gateway, nodes, prune=prune, take_ownership=take_ownership)
        difference, devices = comparison.nodes, comparison.devices
        step.message = "; ".join(
            f"{count} to {verb}"
            for verb, count in (
                ("create", len(difference.created)),
                ("change", len(difference.changed)),
                ("remove", len(difference.removed)),
            )
            if count
        )
    summary = Summary(
        created=len(difference.created),
        changed=len(difference.changed),
        unchanged=difference.unchanged,
        removed=len(difference.removed),
        devices=str(devices) if devices.concerns else "",
    )
    if removing is not None and comparison.applied:
        removing(comparison.applied)
    uids = dict(comparison.uids)
    if difference.created:
        await until_collected(gateway, difference.created, steps=steps)
    if total := summary.created + summary.changed + summary.removed:
        with steps.step("nodes", "write", f"{total} nodes") as step:
            writer = Writer(gateway, comparison, step=step, created=created)
            await writer.run()
            uids |= writer.uids
            step.message = str(summary)
    if devices.writes:
        with steps.step("nodes", "devices") as step:
            await write_devices(gateway, devices, uids, step=step)
            step.message = summary.devices
    written = {*difference.created, *(item.name for item in difference.changed)}
    if written:
        with steps.step("nodes", "ready", f"{len(written)} nodes") as step:
            await wait_ready(gateway, written, step=step, timeout=timeout)
    return summary
