"""A process that keeps pods changing.

Of four writes two change a pod that somebody waits for, one makes another pod, one deletes one of these.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from bench.bare import MERGE_PATCH, WIDTH, bare
from bench.beside import beside, until_told
from bench.witness import PODS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.beside import Beside
    from bench.plane import Plane

_TURN_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Churn:
    """The process."""

    process: Beside

    def rate(self) -> float:
        """End it; returns how many writes per second the server took."""
        return float(self.process.finish()[-1])


@contextmanager
def churn(plane: Plane, rate: int, pods: Sequence[str], body: bytes) -> Iterator[Churn]:
    """Write `rate` times a second: to `pods`, and new pods like `body`."""
    names = plane.directory / "churn.json"
    names.write_bytes(orjson.dumps({"pods": list(pods), "body": orjson.loads(body)}))
    with beside(plane.environment, "bench.churn", str(rate), str(names)) as process:
        yield Churn(process)


async def _churn(kubeconfig: Path, rate: int, given: Path) -> None:
    said = orjson.loads(given.read_bytes())
    pods, body = said["pods"], said["body"]
    numbers = itertools.count()
    made: list[str] = []
    done = 0
    async with bare(kubeconfig) as client:

        async def write(number: int) -> None:
            nonlocal done
            match number % 4:
                case 0:
                    name = f"churn-{number}"
                    pod = body | {"metadata": body["metadata"] | {"name": name}}
                    await client.send("POST", PODS, orjson.dumps(pod))
                    made.append(name)
                case 1 if made:
                    await client.send("DELETE", f"{PODS}/{made.pop()}?gracePeriodSeconds=0")
                case _:
                    name = random.choice(pods)  # noqa: S311 - not a secret
                    patch = {"metadata": {"annotations": {"churn": str(number)}}}
                    await client.send("PATCH", f"{PODS}/{name}", orjson.dumps(patch), content_type=MERGE_PATCH)
            done += 1

        async def work() -> None:
            # As many as the time that has gone by asks for, so that a late turn is made up for, if the server can.
            begin = time.monotonic()
            while True:
                await asyncio.sleep(_TURN_SECONDS)
                due = int((time.monotonic() - begin) * rate) - done
                await asyncio.gather(*(write(number) for number in itertools.islice(numbers, min(max(due, 0), WIDTH))))

        start = time.monotonic()
        await until_told(work())
        print(done / (time.monotonic() - start))


if __name__ == "__main__":
    asyncio.run(_churn(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
