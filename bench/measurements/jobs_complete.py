"""1,000 Jobs of one pod to their completion on 200 nodes, in seconds: our control plane against kwokctl's.

The programs, the bodies and the client, which is the bare loop, are the same. A control plane is new for each figure:
two at the same time would take each other's processors, and an old one has a larger heap.

With its defaults kwokctl leaves controllers at 20 requests per second, which would be too easy to beat. Its option
`--disable-qps-limits` lifts that, so this is what the ratio is taken with. The defaults are measured once.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench import plane
from bench.jobs import jobs
from bench.measurement import Aim, Held, Measurement, Sample, in_turn
from bench.nodes import nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from bench.plane import Plane
    from bench.setting import Setting

_NODES = 200


def run(setting: Setting, *, full: int) -> Generator[Sample]:
    """Pods succeed as soon as they run: their annotations say so, and kwokctl's own stages do it anyway."""
    work = jobs(setting, setting.count(full), suspend=False)
    where = nodes(setting, _NODES)

    def on(start: Callable[[Setting], AbstractContextManager[Plane]]) -> float:
        with start(setting) as control:
            control.bare(where.present)
            return control.bare(work.complete)

    unlimited = partial(plane.kwokctl, options=("--disable-qps-limits",))
    also: dict[str, float] = {"kwokctl with its defaults, s": on(plane.kwokctl)}
    for ours, beside in in_turn(setting.repeat, partial(on, plane.ours), partial(on, unlimited)):
        yield Sample(ours=ours, beside=beside, also=also)
        also = {}


MEASUREMENT = Measurement(
    name="jobs-complete-1000",
    ours="control plane of `cluster up`",
    beside="of `kwokctl create cluster --disable-qps-limits`",
    unit="s",
    aim=Aim(held=Held.SPEEDUP, limit=1.5),
    run=partial(run, full=1_000),
)
