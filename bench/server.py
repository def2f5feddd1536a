"""What the API server counts, and waiting until nothing but the nodes' leases is written any more."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from bench.setting import BenchError

if TYPE_CHECKING:
    from bench.bare import Bare

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_SERIES = re.compile(r"^apiserver_request_total\{(?P<labels>[^}]*)\} (?P<count>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_WRITES = frozenset({"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"})
_QUIET_WRITES = 20
_QUIET_WITHIN = 300.0


async def writes(bare: Bare, *resources: str) -> int:
    """How many writes of these resources (none: of all but leases) the server has answered since it started."""
    total = 0.0
    for series in _SERIES.finditer((await bare.send("GET", "/metrics")).decode()):
        labels = dict(_LABEL.findall(series["labels"]))
        chosen = labels["resource"] in resources if resources else labels["resource"] != "leases"
        if chosen and labels["verb"] in _WRITES:
            total += float(series["count"])
    return int(total)


async def leases(bare: Bare) -> int:
    """How many nodes have a lease; KWOK makes them, the garbage collector removes those of deleted nodes."""
    page = await bare.get(f"{LEASES}?limit=1")
    return len(page["items"]) + int(page["metadata"].get("remainingItemCount", 0))


async def quiet(bare: Bare, *, nodes: int = 0) -> None:
    """Wait until controllers have caught up: a lease for each node, and hardly a write for two seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _QUIET_WITHIN
    calm = 0
    before, had = await writes(bare), await leases(bare)
    while calm < 2:
        if loop.time() > deadline:
            raise BenchError(f"the control plane is still busy after {_QUIET_WITHIN:g} s")
        await asyncio.sleep(1)
        now, have = await writes(bare), await leases(bare)
        calm = calm + 1 if now - before < _QUIET_WRITES and have == had >= nodes else 0
        before, had = now, have
