"""The names of all measures: a subject, a quantity and a statistic, as in `gang.wait.p95`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

STATISTICS = ("mean", "min", "p50", "p90", "p95", "p99", "max")


@dataclass(frozen=True, slots=True)
class Quantity:
    """`column` of `table` over whose values the statistics are taken."""

    table: str
    column: str
    unit: str
    text: str


DISTRIBUTIONS: Mapping[str, Quantity] = {
    "pod.wait": Quantity("pods", "wait", "s", "created to bound"),
    "pod.start": Quantity("pods", "start", "s", "bound to running"),
    "pod.runtime": Quantity("pods", "runtime", "s", "running to ended"),
    "pod.overrun": Quantity("pods", "overrun", "s", "time that pods ran longer than KWOK was asked for"),
    "pod.attempts": Quantity("pods", "attempts", "count", "scheduling attempts that were seen"),
    "gang.admission": Quantity("gangs", "admission", "s", "created to admitted by its queue"),
    "gang.first": Quantity("gangs", "wait_first", "s", "created to first bound"),
    "gang.wait": Quantity("gangs", "wait", "s", "created to minCount-th bound"),
    "gang.full": Quantity("gangs", "wait_full", "s", "created to all bound"),
    "gang.latency": Quantity(
        "gangs", "latency", "s", "first pod created to minCount-th bound, as kube-scheduler counts"
    ),
    "gang.skew": Quantity("gangs", "skew", "s", "first bound to last bound"),
    "gang.partial": Quantity("gangs", "partial", "s", "time bound in part"),
    "gang.turnaround": Quantity("gangs", "turnaround", "s", "created to ended"),
    "gang.slowdown": Quantity("gangs", "slowdown", "ratio", "turnaround / longest runtime"),
    "gang.requeues": Quantity("gangs", "requeues", "count", "admissions taken back"),
}
"""Each gives one measure per statistic, over the rows where it is known."""

SINGLE: Mapping[str, tuple[str, str]] = {
    "makespan": ("s", "first pod created to last pod ended"),
    "pods.count": ("pods", "pods that were created"),
    "pods.bound": ("pods", "pods that were bound"),
    "pods.ended": ("pods", "pods that ended"),
    "pods.rate.mean": ("pods/s", "pods bound per second, from the first creation to the last binding"),
    "pods.rate.max": ("pods/s", "pods bound in the best second"),
    "pods.created.rate.mean": ("pods/s", "pods created per second, from the first creation to the last"),
    "gangs.count": ("count", "gangs and Jobs"),
    "gangs.partial": ("count", "gangs that were ever bound in part"),
    "gang.partial.time": ("s", "sum over all gangs of the time bound in part"),
    "gpu.capacity": ("gpus", "most GPUs allocatable at a time"),
    "gpu.allocated.mean": ("gpus", "mean of GPUs allocated, from the first creation to the last end"),
    "gpu.allocated.max": ("gpus", "most GPUs allocated at a time"),
    "gpu.allocated.time": ("gpu-seconds", "integral of GPUs allocated"),
    "gpu.occupancy.mean": ("ratio", "GPU-seconds allocated / allocatable"),
    "gpu.occupancy.max": ("ratio", "highest GPUs allocated / allocatable"),
    "gpu.stranded.mean": ("gpus", "mean of stranded GPUs"),
    "gpu.stranded.max": ("gpus", "most stranded GPUs at a time"),
    "gpu.stranded.time": ("gpu-seconds", "integral of stranded GPUs"),
    "gpu.fragmentation.mean": ("gpus", "mean of the fragmentation measure of FGD"),
    "gpu.fragmentation.max": ("gpus", "highest fragmentation"),
    "cpu.occupancy.mean": ("ratio", "processor-seconds allocated / allocatable"),
    "memory.occupancy.mean": ("ratio", "byte-seconds allocated / allocatable"),
    "fairness.jain.mean": ("ratio", "mean of Jain's index over the queues with demand"),
    "fairness.jain.min": ("ratio", "lowest of Jain's index"),
    "preemptions.count": ("count", "pods preempted"),
    "evictions.count": ("count", "pods evicted or preempted"),
    "preemptions.lost": ("gpu-seconds", "GPU-seconds of pods that were evicted or preempted"),
    "requests.count": ("count", "requests to the API server in the audit log"),
    "watch.lag.p50": ("s", "the API server's write to the watch event, median"),
    "watch.lag.p95": ("s", "95th percentile"),
    "watch.lag.max": ("s", "longest"),
    "tool.rate.asked": ("requests/s", "limit of knavtool's own requests, as asked for with --qps"),
    "tool.rate.mean": ("requests/s", "requests of knavtool in the audit log per second, from the first to the last"),
    "tool.cpu.mean": ("cores", "processors that knavtool used"),
    "tool.lag.max": ("s", "longest time that knavtool's event loop was late"),
    "machine.cpu.mean": ("ratio", "processors of the machine in use / all of them"),
    "machine.others.mean": ("cores", "processors that other programs used"),
}
"""Unit and meaning of the measures that are one number each."""


LOWER, HIGHER, NEITHER = "lower", "higher", ""

GOOD: Mapping[str, str] = {
    "pod.wait": LOWER,
    "pod.start": LOWER,
    "pod.runtime": NEITHER,  # of the workload
    "pod.overrun": LOWER,
    "pod.attempts": LOWER,
    "gang.admission": LOWER,
    "gang.first": LOWER,
    "gang.wait": LOWER,
    "gang.full": LOWER,
    "gang.latency": LOWER,
    "gang.skew": LOWER,
    "gang.partial": LOWER,
    "gang.turnaround": LOWER,
    "gang.slowdown": LOWER,
    "gang.requeues": LOWER,
    "makespan": LOWER,
    "pods.count": NEITHER,
    "pods.bound": NEITHER,
    "pods.ended": NEITHER,
    "pods.rate.mean": HIGHER,
    "pods.rate.max": HIGHER,
    "pods.created.rate.mean": NEITHER,  # of those who create them
    "gangs.count": NEITHER,
    "gangs.partial": LOWER,
    "gang.partial.time": LOWER,
    "gpu.capacity": NEITHER,
    "gpu.allocated.mean": HIGHER,
    "gpu.allocated.max": HIGHER,
    "gpu.allocated.time": NEITHER,  # the same work in more GPU-seconds is no gain
    "gpu.occupancy.mean": HIGHER,
    "gpu.occupancy.max": HIGHER,
    "gpu.stranded.mean": LOWER,
    "gpu.stranded.max": LOWER,
    "gpu.stranded.time": LOWER,
    "gpu.fragmentation.mean": LOWER,
    "gpu.fragmentation.max": LOWER,
    "cpu.occupancy.mean": HIGHER,
    "memory.occupancy.mean": HIGHER,
    "fairness.jain.mean": HIGHER,
    "fairness.jain.min": HIGHER,
    "preemptions.count": NEITHER,  # a policy may demand them; what they threw away is a loss
    "evictions.count": NEITHER,
    "preemptions.lost": LOWER,
    "requests.count": NEITHER,
    "watch.lag.p50": NEITHER,  # from here on of the machine that recorded
    "watch.lag.p95": NEITHER,
    "watch.lag.max": NEITHER,
    "tool.rate.asked": NEITHER,
    "tool.rate.mean": NEITHER,
    "tool.cpu.mean": NEITHER,
    "tool.lag.max": NEITHER,
    "machine.cpu.mean": NEITHER,
    "machine.others.mean": NEITHER,
}
"""Which way is better, for each of `SINGLE` and `DISTRIBUTIONS`."""


def all_names() -> list[str]:
    """Every name, as `thresholds` and `CheckMeasure` take them."""
    return sorted([*SINGLE, *(f"{name}.{statistic}" for name in DISTRIBUTIONS for statistic in STATISTICS)])


def unit_of(name: str) -> str:
    """The unit of a measure; KeyError if there is none of that name."""
    if name in SINGLE:
        return SINGLE[name][0]
    return DISTRIBUTIONS[name.rpartition(".")[0]].unit


def subject_of(name: str) -> str:
    """What a measure is a statistic of, as in `DISTRIBUTIONS`, or the measure itself."""
    return name if name in SINGLE else name.rpartition(".")[0]


def meaning_of(name: str) -> str:
    """What a measure is, in a few words: that of its subject, whatever the statistic."""
    subject = subject_of(name)
    return SINGLE[subject][1] if subject in SINGLE else DISTRIBUTIONS[subject].text


def good(name: str) -> str:
    """Whether a measure had better be `LOWER`, `HIGHER` or `NEITHER`; KeyError if there is none of that name."""
    return GOOD[subject_of(name)]


def more_is_better(name: str) -> bool | None:
    """Whether more of a measure is better; None if neither way is."""
    way = good(name)
    return None if way == NEITHER else way == HIGHER
