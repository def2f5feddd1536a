"""The peak resident size of a `knavtool run` that follows 20,000 pods, in MB, beside one that follows two.

All pods of a namespace are Running as KWOK leaves them, and all belong to the check, which looks at each.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench import commands, plane
from bench.measurement import Aim, Held, Measurement, Sample, in_turn
from bench.pods import Watching, watching

if TYPE_CHECKING:
    from collections.abc import Generator

    from bench.setting import Setting


def run(setting: Setting, *, full: int) -> Generator[Sample]:
    """Two pods need all the code and hardly any data, so the difference is what pods cost."""
    many, two = watching(setting, setting.count(full)), watching(setting, 2)
    with plane.ours(setting) as control:
        control.bare(many.present)
        control.bare(two.present)

        def peak(given: Watching) -> float:
            return commands.peak_megabytes(control.environment, "run", str(given.workflow))

        for ours, beside in in_turn(setting.repeat, partial(peak, many), partial(peak, two)):
            yield Sample(ours=ours, beside=beside)


MEASUREMENT = Measurement(
    name="pods-memory-20000",
    ours="peak of `run`",
    beside="two pods",
    unit="MB",
    aim=Aim(held=Held.OURS, limit=300),
    run=partial(run, full=20_000),
)
