"""The leases of nodes that were deleted, for nodes that come back under the same name.

KWOK takes such a lease for the new node, and when the garbage collector removes it afterwards, KWOK leaves the node
alone until it renews its leases, minutes later: the node is Ready, and no pod on it ever starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.errors import DeadlineExceeded, Forbidden
from knavtool.kube.resource import LEASES
from knavtool.kube.waiting import until

if TYPE_CHECKING:
    from collections.abc import Collection

    from knavtool.events import Steps
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest

_NAMESPACE = "kube-node-lease"
_WITHIN = 60.0
"""Seconds; the collector needs a few for ten thousand leases."""


async def until_collected(gateway: Gateway, names: Collection[str], *, steps: Steps) -> None:
    """Wait until the garbage collector has removed what nodes of these names left; usually that is one short list."""
    wanted = frozenset(names)
    try:
        stale = [
            lease
            async for page in gateway.pages(LEASES, namespace=_NAMESPACE, metadata_only=True)
            for lease in page
            if _stale(lease, wanted)
        ]
    except Forbidden:
        return  # whoever may not read leases may still create nodes
    if not stale:
        return
    with steps.step("nodes", "collect", f"leases of {len(stale)} deleted nodes") as step:
        try:
            await until(
                gateway,
                LEASES,
                lambda seen: None if any(_stale(lease, wanted) for lease in seen.values()) else True,
                timeout=_WITHIN,
                namespace=_NAMESPACE,
            )
        except DeadlineExceeded:
            step.note(
                f"leases of deleted nodes are still there after {_WITHIN:g} s; "
                "pods on nodes of the same names may start late",
                warning=True,
            )


def _stale(lease: Manifest, names: frozenset[str]) -> bool:
    """Whether it belongs to a node that is gone; one without an owner is not collected, and KWOK keeps it."""
    metadata = lease["metadata"]
    return metadata["name"] in names and bool(metadata.get("ownerReferences"))
