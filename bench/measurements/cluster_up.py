"""Starting a control plane with programs that are there: `knavtool cluster up` beside `kwokctl create`, in seconds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench import plane
from bench.measurement import Aim, Held, Measurement, Sample, in_turn
from bench.setting import PROMETHEUS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from bench.plane import Plane
    from bench.setting import Setting


def run(setting: Setting) -> Generator[Sample]:
    """From the command's start to its end; `cluster up` also waits for KWOK and its stages."""

    def seconds(start: Callable[[Setting], AbstractContextManager[Plane]]) -> float:
        with start(setting) as control:
            return control.started

    for ours, beside in in_turn(setting.repeat, partial(seconds, plane.new), partial(seconds, plane.kwokctl)):
        also = {}
        if PROMETHEUS in setting.programs:
            with plane.new(setting, prometheus=True) as control:
                also = {"with Prometheus, s": control.started}
        yield Sample(ours=ours, beside=beside, also=also)


MEASUREMENT = Measurement(
    name="cluster-up-warm",
    ours="`cluster up --no-prometheus`",
    beside="`kwokctl create cluster --wait`",
    unit="s",
    aim=Aim(held=Held.OURS, limit=6.0),
    run=run,
)
