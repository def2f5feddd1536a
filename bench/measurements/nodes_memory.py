"""The peak resident size of `knavtool nodes apply` that creates 10,000 nodes, in MB, beside one that creates two."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench import commands, plane
from bench.measurement import Aim, Held, Measurement, Sample, in_turn
from bench.nodes import Nodes, nodes

if TYPE_CHECKING:
    from collections.abc import Generator

    from bench.setting import Setting


def run(setting: Setting, *, full: int) -> Generator[Sample]:
    """Two nodes need all the code and hardly any data, so the difference is what nodes cost."""
    many, two = nodes(setting, setting.count(full)), nodes(setting, 2)
    with plane.ours(setting) as control:

        def peak(given: Nodes) -> float:
            megabytes = commands.peak_megabytes(control.environment, "nodes", "apply", "-f", str(given.values))
            control.bare(given.settled)
            control.bare(given.absent)
            return megabytes

        for ours, beside in in_turn(setting.repeat, partial(peak, many), partial(peak, two)):
            yield Sample(ours=ours, beside=beside)


MEASUREMENT = Measurement(
    name="nodes-memory-10000",
    ours="peak of `nodes apply`",
    beside="two nodes",
    unit="MB",
    aim=Aim(held=Held.OURS, limit=300),
    run=partial(run, full=10_000),
)
