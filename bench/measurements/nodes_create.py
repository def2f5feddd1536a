"""Creating nodes: the writes of `knavtool nodes apply` against a bare loop of POSTs of the same bodies, in seconds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench import plane
from bench.measurement import Aim, Held, Measurement, Sample, in_turn
from bench.nodes import nodes

if TYPE_CHECKING:
    from collections.abc import Generator

    from bench.setting import Setting


def run(setting: Setting, *, full: int) -> Generator[Sample]:
    """The whole command also renders, connects, compares and waits until the nodes are Ready."""
    given = nodes(setting, setting.count(full))
    few = nodes(setting, 100)
    with plane.ours(setting) as control:
        # The first writes to a new server are slow: it opens its caches, and its heap is small.
        control.bare(few.present)
        control.bare(few.absent)

        def ours() -> tuple[float, float, float]:
            done = control.knavtool("nodes", "apply", "-f", str(given.values))
            control.bare(given.settled)
            control.bare(given.absent)
            return done.step("nodes", "write"), done.step("nodes", "ready"), done.seconds

        def beside() -> float:
            seconds = control.bare(given.create)
            control.bare(given.settled)
            control.bare(given.absent)
            return seconds

        for (write, ready, whole), seconds in in_turn(setting.repeat, ours, beside):
            yield Sample(ours=write, beside=seconds, also={"waiting until Ready, s": ready, "whole command, s": whole})


def measurement(count: int) -> Measurement:
    """The measurement of `count` nodes."""
    return Measurement(
        name=f"nodes-create-{count}",
        ours="writes of `nodes apply`",
        beside="bare POSTs",
        unit="s",
        aim=Aim(held=Held.RATIO, limit=1.25),
        run=partial(run, full=count),
    )
