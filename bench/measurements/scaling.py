"""What knavtool itself adds to a run of 700 nodes and 700 Jobs.

Ours is the wall time of the whole command, from its start as a process to its end. Beside it stands the time from the
same start to the API server's last event that matters, the one by which the last pod is Succeeded, as a witness of its
own sees it. What else is told: the same for the step `run` alone, which begins when the plan is rendered, checked and
connected; how long after the start of the command the run began; and how long the bare loop takes from its first
request to the last such event, which holds all that knavtool adds before and in between, too.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench import plane
from bench.measurement import Aim, Held, Measurement, Sample, in_turn
from bench.scaling import scaling
from bench.setting import BenchError
from bench.witness import witness

if TYPE_CHECKING:
    from collections.abc import Generator

    from bench.commands import Finished
    from bench.setting import Setting


def run(setting: Setting, *, full: int) -> Generator[Sample]:
    """Pods succeed as soon as they run, so that nothing is waited for that hides what knavtool takes."""
    count = setting.count(full)
    given = scaling(setting, count)
    with plane.ours(setting) as control:
        # The first writes to a new server are slow: it opens its caches, and its heap is small.
        control.bare(given.by_hand)
        control.bare(given.undo)

        def ours() -> tuple[Finished, float]:
            with witness(control) as seeing:
                done = control.knavtool("run", str(given.workflow))
                succeeded = [seen for seen in seeing.told() if seen.phase == "Succeeded"]
            control.bare(given.undo)
            if len(succeeded) != count:
                raise BenchError(f"the witness saw {len(succeeded)} of {count} pods succeed")
            return done, succeeded[-1].at

        def beside() -> float:
            seconds = control.bare(given.by_hand)
            control.bare(given.undo)
            return seconds

        for (done, last), bare in in_turn(setting.repeat, ours, beside):
            began, ended = done.span("run", "scaling")
            also = {
                "own part of the command, %": 100 * (done.ended - last) / done.seconds,
                "own part of the step run, %": 100 * (ended - last) / (ended - began),
                "before the step run, s": began - done.started,
                "after the last event, s": done.ended - last,
                "bare loop, s": bare,
            }
            yield Sample(ours=done.seconds, beside=last - done.started, also=also)


MEASUREMENT = Measurement(
    name="scaling-700",
    ours="whole `run`",
    beside="until the server's last event",
    unit="s",
    aim=Aim(held=Held.RATIO, limit=1.03),
    run=partial(run, full=700),
)
