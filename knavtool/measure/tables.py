"""The columns of every table, which docs/measures.md explains. Moments are seconds since the recording began."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.measure.table import Column, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TIME = Column("time", "s", "from this moment on")

TITLES: Mapping[str, str] = {
    "pods": "Pods",
    "gangs": "Gangs and Jobs",
    "spans": "States of gangs",
    "queues": "Queues",
    "timeline": "Pods over time",
    "rates": "Pods per second",
    "occupancy": "GPUs allocated by queue",
    "pools": "GPUs allocated by node pool",
    "priorities": "GPUs allocated by priority",
    "capacity": "GPUs allocatable",
    "fairness": "Shares over time",
    "blocks": "Free GPUs over time",
    "heat": "Nodes over time",
    "pending": "Why pods are pending",
    "preemptions": "Evictions and preemptions",
    "requests": "Requests to the API server",
    "processes": "Processes",
    "steps": "Steps of the run",
    "gaps": "Gaps in the recording",
    "components": "Components and their settings",
    "tunables": "Rate limits, workers and periods",
}

COLUMNS: Mapping[str, Sequence[Column]] = {
    "pods": (
        Column("pod", "", "namespace/name"),
        Column("gang", "", "namespace/name of the gang or Job it belongs to"),
        Column("queue", "", "LocalQueue, queue or label; the namespace if there is none"),
        Column("priority", "", "priority as a number"),
        Column("scheduler", "", "schedulerName"),
        Column("node", "", "the node it was bound to"),
        Column("pool", "", "the node pool of that node"),
        Column("gpus", "gpus", "requested GPUs"),
        Column("cpu", "cores", "requested processors"),
        Column("memory", "bytes", "requested memory"),
        Column("created", "s", "moment of creation"),
        Column("bound", "s", "moment of binding"),
        Column("running", "s", "moment at which it ran"),
        Column("ended", "s", "moment at which it succeeded or failed"),
        Column("deleted", "s", "moment at which it was gone"),
        Column("wait", "s", "created to bound"),
        Column("start", "s", "bound to running"),
        Column("runtime", "s", "running to ended"),
        Column("overrun", "s", "how much longer it ran than its annotations ask KWOK for"),
        Column("attempts", "count", "scheduling attempts that were seen: failed ones with a new reason, and the last"),
        Column("outcome", "", "succeeded, failed, preempted, evicted, deleted, running, bound, gated or pending"),
    ),
    "gangs": (
        Column("gang", "", "namespace/name"),
        Column("kind", "", "the kind that makes it a gang"),
        Column("queue", "", "as for pods"),
        Column("priority", "", "the highest priority of its pods"),
        Column("pods", "pods", "how many pods it has at a time"),
        Column("min", "pods", "its minCount: how many must be bound together"),
        Column("gpus", "gpus", "requested by all its pods"),
        Column("created", "s", "creation of its object, or of its first pod"),
        Column("admitted", "s", "admitted by its queue"),
        Column("first", "s", "first pod bound"),
        Column("enough", "s", "minCount-th pod bound"),
        Column("full", "s", "last pod bound"),
        Column("ended", "s", "last pod ended"),
        Column("admission", "s", "created to admitted"),
        Column("wait_first", "s", "created to first bound"),
        Column("wait", "s", "created to minCount-th bound"),
        Column("wait_full", "s", "created to all bound"),
        Column("latency", "s", "first pod created to minCount-th bound, as kube-scheduler counts it"),
        Column("skew", "s", "first bound to last bound"),
        Column("partial", "s", "time with some, but fewer than minCount pods bound; spans of up to 5 s do not count"),
        Column("turnaround", "s", "created to ended"),
        Column("slowdown", "ratio", "turnaround / the longest runtime of its pods"),
        Column("requeues", "count", "how often its admission was taken back"),
        Column("evictions", "count", "pods evicted or preempted"),
        Column("outcome", "", "done, failed, running, partial or pending"),
    ),
    "spans": (
        Column("gang", "", "namespace/name"),
        Column("queue", "", "as for pods"),
        Column("state", "", "queued (before its first pod), waiting, partial or bound"),
        Column("since", "s", "beginning"),
        Column("until", "s", "end"),
    ),
    "queues": (
        Column("queue", "", "as for pods"),
        Column("pods", "pods", "its pods"),
        Column("gangs", "count", "its gangs"),
        Column("resource", "", "the resource of quota and use"),
        Column("quota", "", "its quota of that resource; None if there is none"),
        Column("used", "", "mean use over the run"),
        Column("used_max", "", "highest use"),
        Column("share", "ratio", "mean use / quota"),
        Column("dominant", "ratio", "mean dominant share of the cluster"),
        Column("wait_p50", "s", "median wait of its gangs"),
        Column("wait_p95", "s", "95th percentile"),
        Column("wait_max", "s", "longest"),
        Column("evictions", "count", "pods evicted or preempted"),
    ),
    "timeline": (
        _TIME,
        Column("created", "pods", "created so far"),
        Column("bound", "pods", "bound so far"),
        Column("running", "pods", "started so far"),
        Column("finished", "pods", "ended so far"),
        Column("pending", "pods", "created, not bound, not gone"),
        Column("active", "pods", "bound, not ended, not gone"),
    ),
    "rates": (
        Column("time", "s", "beginning of the second"),
        Column("created", "pods", "created in this second"),
        Column("bound", "pods", "bound in this second"),
        Column("finished", "pods", "ended in this second"),
    ),
    "occupancy": (_TIME, Column("queue", "", "as for pods"), Column("gpus", "gpus", "allocated")),
    "pools": (_TIME, Column("pool", "", "node pool"), Column("gpus", "gpus", "allocated")),
    "priorities": (_TIME, Column("priority", "", "priority"), Column("gpus", "gpus", "allocated")),
    "capacity": (_TIME, Column("pool", "", "node pool"), Column("gpus", "gpus", "allocatable on its Ready nodes")),
    "fairness": (
        _TIME,
        Column("queue", "", "as for pods"),
        Column("share", "ratio", "use / quota, or use / capacity without a quota"),
        Column("dominant", "ratio", "dominant share: the largest share of any resource of the cluster"),
        Column("jain", "ratio", "Jain's index over the queues that have demand"),
    ),
    "blocks": (
        _TIME,
        Column("whole", "count", "nodes with 8 or more free GPUs"),
        Column("half", "count", "nodes with 4 to 7 free GPUs"),
        Column("few", "count", "nodes with 1 to 3 free GPUs"),
        Column("none", "count", "nodes with no free GPU"),
        Column("free", "gpus", "free GPUs"),
        Column(
            "stranded", "gpus", "free GPUs on nodes where no pending pod fits, while pods that ask for GPUs are pending"
        ),
        Column("fragmentation", "gpus", "FGD: free GPUs that the run's own mix of requests cannot use"),
    ),
    "heat": (
        Column("row", "", "a node, or a rack or pool of them in large clusters"),
        Column("rack", "", "rack or pool"),
        Column("nodes", "count", "how many nodes the row stands for"),
        Column("time", "s", "beginning of the interval"),
        Column("until", "s", "end of the interval"),
        Column("used", "ratio", "highest share of its GPUs allocated in the interval"),
    ),
    "pending": (
        _TIME,
        Column("reason", "", "gated, waiting for a scheduler, or why it failed"),
        Column("pods", "pods", "pods"),
    ),
    "preemptions": (
        Column("time", "s", "when"),
        Column("pod", "", "the victim"),
        Column("gang", "", "its gang"),
        Column("queue", "", "its queue"),
        Column("node", "", "where it was"),
        Column("gpus", "gpus", "GPUs that it held"),
        Column("ran", "s", "how long it had been bound"),
        Column("lost", "gpu-seconds", "gpus x ran"),
        Column("by", "", "who took its place, if anybody says so"),
        Column("reason", "", "reason and message of the condition"),
    ),
    "requests": (
        Column("time", "s", "beginning of the second"),
        Column("agent", "", "user agent"),
        Column("verb", "", "create, update, patch, delete, get, list"),
        Column("resource", "", "resource/subresource"),
        Column("count", "count", "requests that ended in this second"),
    ),
    "processes": (
        _TIME,
        Column("process", "", "process"),
        Column("cpu", "cores", "processors used since the sample before"),
        Column("memory", "bytes", "resident memory"),
    ),
    "steps": (
        Column("step", "", "number"),
        Column("parent", "", "number of the step around it"),
        Column("kind", "", "run, workflow, block, task, cleanup, ..."),
        Column("name", "", "its id or name"),
        Column("detail", "", "of a task, its type"),
        Column("started", "s", "when"),
        Column("ended", "s", "when"),
        Column("result", "", "ok, failed, skipped or cancelled"),
        Column("message", "", "what it says"),
    ),
    "gaps": (
        Column("kind", "", "what was not seen"),
        Column("namespace", "", "where"),
        Column("began", "s", "when"),
        Column("ended", "s", "when; None if it did not end"),
        Column("reason", "", "why"),
    ),
    "components": (
        Column("component", "", "component or process"),
        Column("version", "", "version"),
        Column("settings", "", "arguments that differ between installations: QPS, workers, periods, levels"),
        Column("changed", "", "what the user set, which differs from the component's record"),
    ),
    "tunables": (
        Column("component", "", "process"),
        Column(
            "tunable",
            "",
            "clientQPS, clientBurst, workers, schedulePeriod, initialBackoff, maxBackoff, logLevel, processors or GOGC",
        ),
        Column("of", "", "what workers work on"),
        Column("value", "", "its value; empty if it is not known"),
        Column(
            "source", "", "where that stands: flag, configuration, environment, or default if it is the program's own"
        ),
    ),
}


def table(name: str, rows: Sequence[tuple[Any, ...]]) -> Table:
    """The table of that name with these rows."""
    return Table(name=name, title=TITLES[name], columns=COLUMNS[name], rows=rows)
