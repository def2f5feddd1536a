"""Applying 10,000 nodes that are as they should be: seconds of the whole command, and writes counted by the server."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from bench import plane, server
from bench.measurement import Aim, Held, Measurement, Sample, in_turn
from bench.nodes import PATH, nodes

if TYPE_CHECKING:
    from collections.abc import Generator

    from bench.bare import Bare
    from bench.setting import Setting


async def _list(bare: Bare) -> float:
    """Read all nodes in pages of 500, which is the least that a comparison needs; returns seconds."""
    start = time.perf_counter()
    token = ""
    while True:
        page = await bare.get(f"{PATH}?limit=500&continue={token}")
        token = page["metadata"].get("continue", "")
        if not token:
            return time.perf_counter() - start


def run(setting: Setting, *, full: int) -> Generator[Sample]:
    """Writes of nodes and their status count, whoever makes them: controllers and KWOK are quiet by then."""
    given = nodes(setting, setting.count(full))
    with plane.ours(setting) as control:
        control.knavtool("nodes", "apply", "-f", str(given.values))
        control.bare(given.settled)
        nodes_written = lambda bare: server.writes(bare, "nodes")  # noqa: E731

        def ours() -> tuple[float, int]:
            before = control.bare(nodes_written)
            seconds = control.knavtool("nodes", "apply", "-f", str(given.values)).seconds
            return seconds, control.bare(nodes_written) - before

        def beside() -> float:
            return control.bare(_list)

        for (seconds, writes), listing in in_turn(setting.repeat, ours, beside):
            yield Sample(ours=seconds, beside=listing, writes=writes, also={"writes of nodes": writes})


MEASUREMENT = Measurement(
    name="nodes-reapply-10000",
    ours="whole `nodes apply`, nothing to do",
    beside="bare list of the nodes",
    unit="s",
    aim=Aim(held=Held.OURS, limit=3.0, writes=0),
    run=partial(run, full=10_000),
)
