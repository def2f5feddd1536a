"""A process that sees pods change their phase, on a connection of its own, with nothing but aiohttp.

What it saw last of a run is the moment of the API server's last event that matters, as near as a client can tell.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.bare import bare
from bench.beside import beside, until_told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.beside import Beside
    from bench.plane import Plane

PODS = "/api/v1/namespaces/default/pods"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A pod was seen in a phase that is new for it, at a moment of CLOCK_MONOTONIC in seconds."""

    at: float
    pod: str
    phase: str


@dataclass(frozen=True, slots=True)
class Witness:
    """The process."""

    process: Beside

    def told(self) -> list[Sighting]:
        """End it; returns what it saw in the order of the server."""
        words = (line.split() for line in self.process.finish())
        return [Sighting(at=float(at), pod=pod, phase=phase) for at, pod, phase in words]


@contextmanager
def witness(plane: Plane) -> Iterator[Witness]:
    """A witness of what happens to the pods of the default namespace from now on."""
    with beside(plane.environment, "bench.witness") as process:
        yield Witness(process)


async def _watch(kubeconfig: Path) -> None:
    seen: list[tuple[float, str, str]] = []
    phases: dict[str, str] = {}
    async with bare(kubeconfig) as client:
        version = (await client.get(f"{PODS}?limit=1"))["metadata"]["resourceVersion"]

        async def look() -> None:
            async for pod in client.watch(PODS, version):
                name, phase = pod["metadata"]["name"], pod["status"].get("phase", "")
                if phases.get(name) != phase:
                    phases[name] = phase
                    seen.append((time.monotonic(), name, phase))

        await until_told(look())
    print("\n".join(f"{at} {name} {phase}" for at, name, phase in seen))


if __name__ == "__main__":
    asyncio.run(_watch(Path(sys.argv[1])))
