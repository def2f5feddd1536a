"""Deleting 10,000 nodes: `knavtool nodes delete --all` against a bare loop of DELETEs, in seconds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench import plane
from bench.measurement import Aim, Held, Measurement, Sample, in_turn
from bench.nodes import gone, nodes

if TYPE_CHECKING:
    from collections.abc import Generator

    from bench.setting import Setting


def run(setting: Setting, *, full: int) -> Generator[Sample]:
    """Both delete nodes that are Ready and have leases; the whole command also lists them."""
    given = nodes(setting, setting.count(full))
    with plane.ours(setting) as control:

        def ours() -> tuple[float, float]:
            control.bare(given.present)
            done = control.knavtool("nodes", "delete", "--all")
            control.bare(gone)
            return done.step("nodes", "delete"), done.seconds

        def beside() -> float:
            control.bare(given.present)
            seconds = control.bare(given.delete)
            control.bare(gone)
            return seconds

        for (step, whole), seconds in in_turn(setting.repeat, ours, beside):
            yield Sample(ours=step, beside=seconds, also={"whole command, s": whole})


MEASUREMENT = Measurement(
    name="nodes-delete-10000",
    ours="deletes of `nodes delete --all`",
    beside="bare DELETEs",
    unit="s",
    aim=Aim(held=Held.RATIO, limit=1.25),
    run=partial(run, full=10_000),
)
