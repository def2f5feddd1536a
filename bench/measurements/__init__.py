"""The table of measurements: what `python -m bench` runs, in this order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measurements import (
    audit_log,
    bench_judge,
    cluster_up,
    help,  # noqa: A004 - the command's name
    jobs_complete,
    jobs_submit,
    nodes_create,
    nodes_delete,
    nodes_memory,
    nodes_reapply,
    pods_detect,
    pods_memory,
    recording,
    scaling,
)

if TYPE_CHECKING:
    from bench.measurement import Measurement

ALL: tuple[Measurement, ...] = (
    help.MEASUREMENT,
    cluster_up.MEASUREMENT,
    nodes_create.measurement(2_000),
    nodes_create.measurement(10_000),
    nodes_reapply.MEASUREMENT,
    nodes_delete.MEASUREMENT,
    nodes_memory.MEASUREMENT,
    jobs_submit.measurement(checked=False),
    jobs_submit.measurement(checked=True),
    jobs_complete.MEASUREMENT,
    audit_log.measurement(1_000),
    audit_log.measurement(10_000),
    recording.MEASUREMENT,
    scaling.MEASUREMENT,
    pods_detect.measurement(churn=0),
    pods_detect.measurement(churn=300),
    pods_memory.MEASUREMENT,
    bench_judge.MEASUREMENT,
)
