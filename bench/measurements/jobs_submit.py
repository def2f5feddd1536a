"""Submitting 1,000 Jobs: the SubmitObj task of `knavtool run` against a bare loop of POSTs, in seconds.

The Jobs are suspended on both sides. Otherwise the controller would create a thousand pods while the Jobs are still
being submitted, and the figures would tell how fast that goes.

When a later task looks at the pods, the run follows them while it submits. That is measured with Jobs that are not
suspended, on both sides, and no nodes: the pods come, the scheduler has its say about each, and all stay Pending.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bench import plane
from bench.jobs import delete_all, jobs
from bench.measurement import Aim, Held, Measurement, Sample, in_turn

if TYPE_CHECKING:
    from collections.abc import Generator

    from bench.setting import Setting


def run(setting: Setting, *, full: int, checked: bool) -> Generator[Sample]:
    """The whole command also renders the objects and looks whether the server knows their kind."""
    given = jobs(setting, setting.count(full), suspend=not checked, check="Pending" if checked else "")
    with plane.ours(setting) as control:
        # The first writes to a new server are slow: it opens its caches, and its heap is small.
        control.bare(given.create)
        control.bare(delete_all)

        def ours() -> tuple[float, float]:
            done = control.knavtool("run", str(given.workflow))
            control.bare(delete_all)
            return done.step("task", "submit"), done.seconds

        def beside() -> float:
            seconds = control.bare(given.create)
            control.bare(delete_all)
            return seconds

        for (task, whole), seconds in in_turn(setting.repeat, ours, beside):
            yield Sample(ours=task, beside=seconds, also={"whole command, s": whole})


def measurement(*, checked: bool) -> Measurement:
    """The measurement without a check of the pods, or with one."""
    return Measurement(
        name="jobs-submit-checked-1000" if checked else "jobs-submit-1000",
        ours="SubmitObj of `run`" + (", pods followed" if checked else ""),
        beside="bare POSTs",
        unit="s",
        aim=Aim(held=Held.RATIO, limit=1.25),
        run=partial(run, full=1_000, checked=checked),
    )
