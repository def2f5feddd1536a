"""Virtual nodes for measurements: the values file for knavtool, and the very same bodies for the bare loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench import server
from knavtool.documents.values import load_values
from knavtool.helm import Helm
from knavtool.nodes.desired import by_name, prepare
from knavtool.nodes.ownership import owned
from knavtool.render.nodes import render_nodes

if TYPE_CHECKING:
    from bench.bare import Bare
    from bench.setting import Setting

PATH = "/api/v1/nodes"
_VALUES = """\
nodes:
- type: dgxa100.80g
  count: {count}
  labels:
    nvidia.com/gpu.count: "8"
    nvidia.com/gpu.product: NVIDIA-A100-SXM4-80GB
  conditions:
  - {{type: KernelDeadlock, status: "False", reason: KernelHasNoDeadlock, message: kernel has no deadlock}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """Nodes as a values file and as JSON by name."""

    values: Path
    bodies: dict[str, bytes]

    async def create(self, bare: Bare) -> float:
        """Create them all by the bare loop; returns seconds."""
        return await bare.post(PATH, self.bodies.values())

    async def delete(self, bare: Bare) -> float:
        """Delete them all by the bare loop; returns seconds."""
        return await bare.delete([f"{PATH}/{name}" for name in self.bodies])

    async def settled(self, bare: Bare) -> None:
        """Wait until KWOK and the controllers have caught up with nodes that somebody created."""
        await server.quiet(bare, nodes=len(self.bodies))

    async def present(self, bare: Bare) -> None:
        """Create them, and wait until KWOK and the controllers have caught up."""
        await self.create(bare)
        await self.settled(bare)

    async def absent(self, bare: Bare) -> None:
        """Delete them, and wait until nothing of them is left."""
        await self.delete(bare)
        await gone(bare)


async def gone(bare: Bare) -> None:
    """Wait until the controllers have caught up with the deletion of all nodes."""
    await server.quiet(bare)
    # KWOK renews or makes a lease for some nodes that are just being deleted, and nobody deletes these.
    await bare.send("DELETE", server.LEASES)


def nodes(setting: Setting, count: int) -> Nodes:
    """`count` nodes with eight GPUs."""
    values = setting.file(f"nodes-{count}.yaml", _VALUES.format(count=count))
    rendered = owned(asyncio.run(render_nodes(Helm(Path(setting.programs["helm"])), load_values(values).entries)))
    bodies = {name: desired.batch.body(name) for name, desired in by_name(prepare(rendered))}
    return Nodes(values=values, bodies=bodies)
