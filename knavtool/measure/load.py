"""How busy knavtool, the machine and the processes of the control plane were, and whether one of them was the limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.measure.facts import Facts

TOOL = "knavtool"
_BUSY_TOOL = 0.9
"""Processors; Python uses one at most."""
_LATE = 1.0
"""Seconds that the event loop may be late."""
_OVERRUN = 5.0
"""Seconds that a pod may run longer than asked; KWOK knows whole ones, and is late by some on a busy machine."""
_BUSY_MACHINE = 0.95
_HALF = 0.5


def processes(facts: Facts) -> Iterator[tuple[Any, ...]]:
    """Rows of `processes`; a process that was started again begins anew."""
    last: dict[str, tuple[float, float]] = {}
    for at, name, cpu, memory in facts.processes:
        before = last.get(name)
        last[name] = (at, cpu)
        if before is not None and at > before[0] and cpu >= before[1]:
            yield at, name, (cpu - before[1]) / (at - before[0]), memory


def machine(facts: Facts) -> list[tuple[float, float, float]]:
    """(from, until, share of the machine's processors in use) between two samples."""
    found = []
    for (since, _, busy), (until, cores, later) in zip(facts.machine, facts.machine[1:], strict=False):
        if until > since and cores:
            found.append((since, until, min(max((later - busy) / (until - since) / cores, 0.0), 1.0)))
    return found


def mean_of_tool(facts: Facts) -> tuple[float | None, int]:
    """Processors that knavtool used from its first to its last sample, and the number of samples."""
    own = [(at, cpu) for at, name, cpu, _ in facts.processes if name == TOOL]
    if len(own) < 2 or own[-1][0] <= own[0][0]:
        return None, len(own)
    return (own[-1][1] - own[0][1]) / (own[-1][0] - own[0][0]), len(own)


def mean_of_machine(facts: Facts, begin: float, end: float) -> tuple[float | None, int]:
    """Share of the machine's processors in use in a window."""
    inside = [(min(until, end) - max(since, begin), share) for since, until, share in machine(facts)]
    inside = [(span, share) for span, share in inside if span > 0]
    seconds = sum(span for span, _ in inside)
    return (sum(span * share for span, share in inside) / seconds if seconds else None), len(inside)


def mean_of_others(facts: Facts) -> tuple[float | None, int]:
    """Processors that programs besides knavtool and the cluster's used, from the first to the last sample.

    The processes of a cluster are known on the local engine alone.
    """
    seen = facts.machine
    if len(seen) < 2 or seen[-1][0] <= seen[0][0] or all(name == TOOL for _, name, _, _ in facts.processes):
        return None, len(seen)
    since, until = seen[0][0], seen[-1][0]
    own, last = 0.0, dict[str, float]()
    for at, name, cpu, _ in facts.processes:
        if since <= at <= until:
            own += max(cpu - last.get(name, cpu), 0.0)
        last[name] = cpu
    return max((seen[-1][2] - seen[0][2] - own) / (until - since), 0.0), len(seen)


def tool_limits(facts: Facts, begin: float, end: float) -> Iterator[str]:
    """Why knavtool or KWOK, not the scheduler, was the limit between the first creation and the last binding."""
    own, _ = mean_of_tool(facts)
    if own is not None and own > _BUSY_TOOL:
        yield f"knavtool used {own:.2f} processors of the one that it can use"
    late = max((lag for at, lag in facts.loop if begin <= at <= end + 1), default=0.0)
    if late > _LATE:
        yield f"knavtool was up to {late:.1f} s late with its own work"
    longest = max((one for pod in facts.pods if (one := pod.overrun) is not None), default=0.0)
    if longest > _OVERRUN:
        yield f"KWOK let pods run up to {longest:.0f} s longer than asked"


def machine_limits(facts: Facts, begin: float, end: float) -> Iterator[str]:
    """Why the machine was the limit in that time."""
    inside = [
        (span, share) for since, until, share in machine(facts) if (span := min(until, end) - max(since, begin)) > 0
    ]
    seconds = sum(span for span, _ in inside)
    busy = sum(span for span, share in inside if share >= _BUSY_MACHINE)
    if seconds and busy / seconds > _HALF:
        cores = facts.machine[-1][1]
        yield f"all {cores:g} processors of the machine were busy for {busy:.0f} of {seconds:.0f} s of scheduling"
