"""When a virtual node can take pods: Ready is True and the not-ready taint that admission gave it is gone."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from knavtool.errors import DeadlineExceeded
from knavtool.kube.gateway import Change
from knavtool.kube.resource import NODES
from knavtool.nodes.ownership import SELECTOR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.events import Step
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest

_HINDERING = frozenset({"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"})


def is_ready(node: Manifest) -> bool:
    """Whether pods can be scheduled onto the node as far as its health goes."""
    if any(taint["key"] in _HINDERING for taint in node.get("spec", {}).get("taints") or ()):
        return False
    conditions = node.get("status", {}).get("conditions") or ()
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


async def wait_ready(
    gateway: Gateway, names: set[str], *, step: Step, timeout: float | None, selector: str = SELECTOR
) -> None:
    """Wait until all named nodes are ready; if they are already, that costs one listing and no watch."""
    waiting = set(names)
    total = len(names)
    listed: set[str] = set()
    seen: dict[str, Manifest] = {}
    synced = False
    try:
        async with asyncio.timeout(timeout), aclosing(gateway.watch(NODES, label_selector=selector)) as events:
            async for event in events:
                # A node that somebody removed is not waited for; the next apply brings it back.
                if event.synced:
                    synced = True
                    waiting &= listed
                elif (name := event.object["metadata"]["name"]) in waiting:
                    listed.add(name)
                    seen[name] = event.object
                    if event.change is Change.DELETED or is_ready(event.object):
                        waiting.remove(name)
                        if len(waiting) % max(total // 100, 1) == 0:
                            step.progress(total - len(waiting), total)
                if synced and not waiting:
                    return
    except TimeoutError:
        some = ", ".join(sorted(waiting)[:3]) + (", …" if len(waiting) > 3 else "")
        last = _hindrance(min(waiting), seen)
        raise DeadlineExceeded(
            f"{len(waiting)} of {total} nodes are not Ready after {timeout:g} s ({some}); {last}",
            hint="is KWOK running? `knavtool cluster status` tells",
        ) from None


def _hindrance(name: str, seen: Mapping[str, Manifest]) -> str:
    """What was seen last of a node that is not ready."""
    if name not in seen:
        return f"the API server has not listed {name} yet"
    node = seen[name]
    conditions = node.get("status", {}).get("conditions") or ()
    ready = next((one for one in conditions if one["type"] == "Ready"), None)
    if ready is None:
        return f"{name} has no condition Ready yet"
    if ready["status"] != "True":
        why = ": ".join(ready[key] for key in ("reason", "message") if ready.get(key))
        return f"{name} has Ready={ready['status']}" + (f" ({why})" if why else "")
    taints = [taint["key"] for taint in node.get("spec", {}).get("taints") or () if taint["key"] in _HINDERING]
    return f"{name} has the taint {', '.join(taints)}"
