"""What the API server's audit log costs: one-pod Jobs to their completion on 200 nodes, with it and without it.

The control planes, the bodies and the client, which is the bare loop, are the same. A control plane is new for each
figure, as for `jobs-complete`, and who goes first changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bench import plane
from bench.jobs import jobs
from bench.measurement import Aim, Held, Measurement, Sample, in_turn
from bench.nodes import nodes
from knavtool.usage import usage

if TYPE_CHECKING:
    from collections.abc import Generator

    from bench.setting import Setting

_NODES = 200
# Of what is larger, the API server has thrown a part away.
_BOUND = 100_000_000


@dataclass(frozen=True, slots=True)
class _Figures:
    """Seconds until all Jobs were complete, processor seconds of the control plane for that, bytes in the log."""

    wall: float
    cpu: float
    log: int


def run(setting: Setting, *, full: int) -> Generator[Sample]:
    """Pods succeed as soon as they run. The processor time is told too: others who use the machine change it less."""
    count = setting.count(full)
    work = jobs(setting, count, suspend=False)
    where = nodes(setting, _NODES)

    def on(audit_log: str) -> _Figures:
        with plane.new(setting, audit_log=audit_log) as control:
            control.bare(where.present)
            log, cpu = _size(control), _cpu(control)
            wall = control.bare(work.complete)
            return _Figures(wall, _cpu(control) - cpu, _size(control) - log)

    for ours, beside in in_turn(setting.repeat, partial(on, "on"), partial(on, "off")):
        also = {
            "pods/s with it": count / ours.wall,
            "without": count / beside.wall,
            "processor seconds with it": ours.cpu,
            "seconds without": beside.cpu,
            "processor time, ratio": ours.cpu / beside.cpu,
        }
        if ours.log < _BOUND:
            also["log per 1,000 Jobs, MB"] = ours.log / count / 1000
        yield Sample(ours=ours.wall, beside=beside.wall, also=also)


def _size(control: plane.Plane) -> int:
    return sum(file.stat().st_size for file in control.directory.glob("data/knavtool/clusters/*/audit*.log"))


def _cpu(control: plane.Plane) -> float:
    files = control.directory.glob("data/knavtool/clusters/*/pids/*.pid")
    used = [usage(int(file.read_text())) for file in files]
    return sum(one.cpu_seconds for one in used if one is not None)


def measurement(full: int) -> Measurement:
    """The measurement with so many Jobs."""
    return Measurement(
        name=f"audit-log-{full}",
        ours=f"{full:,} Jobs, audit log on",
        beside="off",
        unit="s",
        aim=Aim(held=Held.RATIO, limit=1.03),
        run=partial(run, full=full),
    )
