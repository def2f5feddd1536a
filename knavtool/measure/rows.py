"""The rows of the tables that have one per pod, gang, queue, eviction or step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.measure.gangs import progress, spans
from knavtool.measure.resources import RESOURCES, amounts
from knavtool.measure.statistics import percentile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.measure.facts import Facts, Pod
    from knavtool.measure.gangs import Gang, Gangs
    from knavtool.measure.sweep import Swept

Row = tuple[Any, ...]


def pods(facts: Facts, gangs: Gangs, queue_of: Mapping[str, str]) -> Iterator[Row]:
    """Rows of `pods`. Of a pod that was there before it could be seen, only what is certain is known."""
    pools = {node.name: node.pool for node in facts.nodes}
    for pod in facts.pods:
        gpus, cpu, memory = amounts(pod.requests)
        gang = gangs.of.get(pod.uid)
        created, bound = (None, None) if pod.late else (pod.created, pod.bound)
        yield (
            pod.title,
            gang.name if gang is not None else None,
            queue_of[pod.uid],
            pod.priority,
            pod.scheduler or None,
            pod.node or None,
            pools.get(pod.node),
            gpus,
            cpu,
            memory,
            created,
            bound,
            pod.running,
            pod.ended,
            pod.deleted,
            _between(created, bound),
            _between(bound, pod.running),
            _between(pod.running, pod.ended),
            pod.overrun,
            None if pod.late else pod.attempts,
            outcome(pod),
        )


def outcome(pod: Pod) -> str:
    """What became of a pod, in a word."""
    if pod.outcome and not (pod.outcome == "failed" and pod.disrupted is not None):
        return pod.outcome
    if pod.disrupted is not None:
        return "preempted" if _is_preemption(pod) else "evicted"
    if pod.deleted is not None:
        return "deleted"
    if pod.runs:
        return "running"
    if pod.node:
        return "bound"
    return "gated" if pod.held and pod.held[-1][1].startswith("gated") else "pending"


def gangs_of(facts: Facts, gangs: Gangs, title: Mapping[str, str]) -> Iterator[Row]:
    """Rows of `gangs`; `title` has the name of each gang's queue by the uid of one of its pods."""
    for gang in gangs.all:
        known = [pod for pod in gang.pods if not pod.late]
        if not known:
            continue
        first_created = min(pod.created for pod in known if pod.created is not None)
        root = gang.root.created if gang.root is not None else None
        created = min(first_created, root) if root is not None else first_created
        way = progress(gang, facts.end)
        done = all(pod.left is not None for pod in gang.pods)
        ended = max((pod.left for pod in gang.pods if pod.left is not None), default=None) if done else None
        admitted, requeues = _admission(gang)
        whole = not any(pod.late for pod in gang.pods)
        runtimes = [span for pod in known if (span := _between(pod.running, pod.ended)) is not None]
        turnaround = _between(created, ended)
        priorities = [pod.priority for pod in gang.pods if pod.priority is not None]
        yield (
            gang.name,
            gang.kind.partition(".")[0],
            title[gang.pods[0].uid],
            max(priorities, default=None),
            gang.size,
            gang.least,
            max(amounts(pod.requests)[0] for pod in gang.pods) * gang.size,
            created,
            admitted,
            way.first if whole else None,
            way.enough if whole else None,
            way.full if whole else None,
            ended,
            _between(created, admitted),
            _between(created, way.first) if whole else None,
            _between(created, way.enough) if whole else None,
            _between(created, way.full) if whole else None,
            _between(first_created, way.enough) if whole else None,
            _between(way.first, way.full) if whole else None,
            way.partial if whole else None,
            turnaround,
            turnaround / max(runtimes) if turnaround is not None and runtimes and max(runtimes) > 0 else None,
            requeues,
            sum(pod.disrupted is not None for pod in gang.pods),
            _gang_outcome(gang, done=done),
        )


def spans_of(facts: Facts, gangs: Gangs, title: Mapping[str, str]) -> Iterator[Row]:
    """Rows of `spans`, gang by gang."""
    for gang in gangs.all:
        queue = title[gang.pods[0].uid]
        made = gang.root.created if gang.root is not None else None
        first = min((pod.created for pod in gang.pods if pod.created is not None), default=None)
        if made is not None and first is not None and first > made:
            yield gang.name, queue, "queued", made, first
        for state, since, until in spans(gang, facts.end):
            yield gang.name, queue, state, since, until


def _admission(gang: Gang) -> tuple[float | None, int | None]:
    """When its queue admitted it first, and how often that was taken back; None for both if no queue says so."""
    moments = sorted(moment for group in gang.groups for moment in group.moments)
    admitted = next((at for at, name, holds, _ in moments if name == "admitted" and holds), None)
    if not any(name == "admitted" for _, name, _, _ in moments):
        return None, None
    return admitted, sum(name == "evicted" and holds for _, name, holds, _ in moments)


def _gang_outcome(gang: Gang, *, done: bool) -> str:
    succeeded = sum(pod.outcome == "succeeded" for pod in gang.pods)
    if succeeded >= gang.size:
        return "done"
    if done:
        return "failed" if any(pod.outcome == "failed" for pod in gang.pods) else "deleted"
    held = sum(bool(pod.node) and (pod.deleted is None or pod.ended is not None) for pod in gang.pods)
    if held == 0:
        return "pending"
    return "running" if held >= gang.least else "partial"


def queues(
    swept: Swept, pod_rows: Sequence[Row], gang_rows: Sequence[Row], columns: Mapping[str, int]
) -> Iterator[Row]:
    """Rows of `queues`: one per queue and resource that it has a quota of; of GPUs, or processors, if it has none."""
    for name, queue in swept.queues.items():
        quota = amounts(queue.holder.quota) if queue.holder is not None else (0.0, 0.0, 0.0)
        limited = [number for number, amount in enumerate(quota) if amount]
        own = [row for row in pod_rows if row[columns["pods.queue"]] == name]
        groups = [row for row in gang_rows if row[columns["gangs.queue"]] == name]
        waits = sorted(row[columns["gangs.wait"]] for row in groups if row[columns["gangs.wait"]] is not None)
        for number in limited or [0 if any(row[columns["pods.gpus"]] for row in own) else 1]:
            use = queue.use[RESOURCES[number]]
            limit = quota[number] or None
            mean = use.mean
            yield (
                name,
                len(own),
                len(groups),
                RESOURCES[number],
                limit,
                mean,
                use.high,
                mean / limit if limit and mean is not None else None,
                queue.dominant.mean,
                percentile(waits, 0.5) if waits else None,
                percentile(waits, 0.95) if waits else None,
                waits[-1] if waits else None,
                sum(row[columns["pods.outcome"]] in ("preempted", "evicted") for row in own),
            )


def preemptions(facts: Facts, gangs: Gangs, queue_of: Mapping[str, str]) -> Iterator[Row]:
    """Rows of `preemptions`, in order of time."""
    titles = {pod.uid: pod.title for pod in facts.pods}
    for pod in sorted(facts.pods, key=lambda pod: (pod.disrupted or 0.0, pod.title)):
        if pod.disrupted is None:
            continue
        gpus = amounts(pod.requests)[0]
        until = pod.left if pod.left is not None else facts.end
        ran = _between(pod.bound, max(until, pod.bound or 0.0)) if not pod.late else None
        gang = gangs.of.get(pod.uid)
        by = titles.get(pod.by) or pod.by or None
        lost = gpus * ran if ran is not None else None
        gang_name = gang.name if gang is not None else None
        yield (
            pod.disrupted,
            pod.title,
            gang_name,
            queue_of[pod.uid],
            pod.node or None,
            gpus,
            ran,
            lost,
            by,
            pod.reason,
        )


def steps(facts: Facts) -> Iterator[Row]:
    """Rows of `steps`."""
    for step in facts.steps:
        names = (step.kind, step.name, step.detail or None)
        yield (step.number, step.parent, *names, step.started, step.ended, step.result or None, step.message or None)


def rates(facts: Facts) -> Iterator[Row]:
    """Rows of `rates`: one per second from the first to the last that had something."""
    counts: dict[int, list[int]] = {}
    for pod in facts.pods:
        moments = (None, None, None) if pod.late else (pod.created, pod.bound, pod.ended)
        for number, at in enumerate(moments):
            if at is not None:
                counts.setdefault(int(at), [0, 0, 0])[number] += 1
    if counts:
        for second in range(min(counts), max(counts) + 1):
            yield (float(second), *counts.get(second, (0, 0, 0)))


def _is_preemption(pod: Pod) -> bool:
    return bool(pod.by) or "reempt" in pod.reason


def _between(start: float | None, end: float | None) -> float | None:
    """Seconds from one moment to the other, None if one is not known; the clock's noise makes none negative."""
    return max(end - start, 0.0) if start is not None and end is not None else None
