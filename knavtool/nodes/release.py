"""Virtual nodes as a Helm release, for those who want Helm to own them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool import resources
from knavtool.documents.entries import VIRTUAL
from knavtool.errors import Conflict
from knavtool.kube.concurrency import for_each
from knavtool.kube.resource import NODES
from knavtool.nodes.apply import Summary
from knavtool.nodes.desired import by_name, prepare
from knavtool.nodes.diff import change
from knavtool.nodes.leases import until_collected
from knavtool.nodes.ownership import owner_of
from knavtool.nodes.readiness import wait_ready
from knavtool.nodes.writing import summed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knavtool.documents.entries import NodeEntry
    from knavtool.events import Steps
    from knavtool.helm import Helm
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest
    from knavtool.render.nodes import NodeSet

RELEASE = "virtual-nodes"
NAMESPACE = "default"


async def install_release(
    gateway: Gateway,
    helm: Helm,
    entries: Sequence[NodeEntry],
    nodes: NodeSet,
    *,
    steps: Steps,
    timeout: float,
    take_ownership: bool,
) -> Summary:
    """`helm upgrade --install`, then what Helm cannot do: patch the status of nodes that exist.

    Raises Conflict if a wanted node belongs to knavtool or another release and `take_ownership` is not given.
    """
    wanted = set(nodes.names())
    before: dict[str, str] = {}
    missing = set(wanted)
    async for page in gateway.pages(NODES, label_selector=VIRTUAL):
        for node in page:
            name, owner = node["metadata"]["name"], owner_of(node)
            missing.discard(name)
            released = (owner.release, owner.namespace) == (RELEASE, NAMESPACE)
            if released:
                before[name] = node["metadata"]["uid"]
            elif name in wanted and not take_ownership:
                raise Conflict(
                    f"node {name} belongs to {owner}; nothing was changed",
                    status=409,
                    hint="--take-ownership moves the nodes to the Helm release",
                )
    if missing:
        await until_collected(gateway, missing, steps=steps)
    with steps.step("nodes", "helm upgrade --install", f"{len(wanted)} nodes"):
        await helm.upgrade_install(
            RELEASE,
            resources.chart("virtual-nodes"),
            namespace=NAMESPACE,
            values={"nodes": [entry.values() for entry in entries]},
            take_ownership=take_ownership,
            timeout=timeout,
        )
    changed = await _patch_status(gateway, nodes, steps)
    with steps.step("nodes", "ready", f"{len(wanted)} nodes") as step:
        await wait_ready(gateway, wanted, step=step, timeout=timeout, selector=VIRTUAL)
    kept = len(wanted & before.keys())
    return Summary(
        created=len(wanted) - kept,
        changed=changed,
        unchanged=max(kept - changed, 0),
        removed=len(before.keys() - wanted),
    )


async def _patch_status(gateway: Gateway, nodes: NodeSet, steps: Steps) -> int:
    """Bring capacity and conditions of existing nodes up to date; an upgrade does not reach them."""
    desired = dict(by_name(prepare(nodes)))
    patches: list[tuple[str, Manifest]] = []
    async for page in gateway.pages(NODES, label_selector=VIRTUAL):
        for node in page:
            name = node["metadata"]["name"]
            if name in desired and (needed := change(desired[name], node)) is not None and needed.status:
                patches.append((name, needed.status))
    if not patches:
        return 0

    async def patch(item: tuple[str, Manifest]) -> None:
        await gateway.patch(NODES, item[0], item[1], subresource="status", strategic=True)

    with steps.step("nodes", "status", f"{len(patches)} nodes"):
        refused = await for_each(patches, patch)
        if refused:
            raise summed([(item[0], error) for item, error in refused], len(patches))
    return len(patches)
