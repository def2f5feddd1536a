"""One pass through all changes of a run in order: the tables over time and their integrals."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from knavtool.measure.cluster import Cluster
from knavtool.measure.integral import Integral
from knavtool.measure.queue import Queue
from knavtool.measure.resources import NOTHING, RESOURCES, Amounts, amounts, plus, total

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.measure.facts import Facts, Pod, Thing

_NO_SCHEDULER = "not tried yet"
Change = tuple[float, int, str, Any]


@dataclass(slots=True, eq=False)
class Swept:
    """Rows of the tables over time by their names, and integrals over the window of the run by their measures."""

    window: tuple[float, float] | None
    rows: dict[str, list[tuple[Any, ...]]]
    integrals: dict[str, Integral]
    queues: dict[str, Queue]
    overcommitted: set[str]


def window(facts: Facts) -> tuple[float, float] | None:
    """From the first creation of a pod to the last end of one, or to the end of the recording if one has not ended."""
    created = [pod.created for pod in facts.pods if pod.created is not None and not pod.late]
    if not created:
        return None
    ends = [pod.left for pod in facts.pods if not pod.late]
    last = facts.end if any(end is None for end in ends) else max(end for end in ends if end is not None)
    return min(created), max(last, min(created))


def sweep(facts: Facts, queue_of: Mapping[str, str], holders: Mapping[str, Thing | None]) -> Swept:
    """`queue_of` has the queue of each pod by uid, `holders` who holds the quota of each queue."""
    return _Sweep(facts, queue_of, holders).run()


class _Sweep:
    def __init__(self, facts: Facts, queue_of: Mapping[str, str], holders: Mapping[str, Thing | None]) -> None:
        self._facts = facts
        self._queue_of = queue_of
        self._wanted = {pod.uid: amounts(pod.requests) for pod in facts.pods}
        mix = Counter(self._wanted.values())
        self._cluster = Cluster({request: count / len(facts.pods) for request, count in mix.items()})
        self._window = window(facts)
        span = self._window or (0.0, 0.0)
        self._capacity = {name: Integral(*span) for name in RESOURCES}
        self._allocated = {name: Integral(*span) for name in RESOURCES}
        self._others = {name: Integral(*span) for name in ("stranded", "fragmentation", "occupancy")}
        self._others["jain"] = Integral(*span, value=None)
        self._queues = {
            name: Queue(
                name,
                holder,
                quota=amounts(holder.quota) if holder is not None else NOTHING,
                use={one: Integral(*span) for one in RESOURCES},
                dominant=Integral(*span),
            )
            for name, holder in sorted(holders.items())
        }
        self._pending: Counter[Amounts] = Counter()
        self._expected = False
        self._reasons: Counter[str] = Counter()
        self._reason_of: dict[str, str] = {}
        self._priorities: Counter[str] = Counter()
        self._counts = {"created": 0, "bound": 0, "running": 0, "finished": 0, "pending": 0, "active": 0}
        self._last: dict[tuple[str, str], Any] = {}
        self._capacity_touched = self._use_touched = False
        self._queues_touched: set[str] = set()
        self._priorities_touched: set[str] = set()
        self._reasons_touched: set[str] = set()
        self._rows: dict[str, list[tuple[Any, ...]]] = {
            name: []
            for name in ("timeline", "occupancy", "pools", "priorities", "capacity", "fairness", "blocks", "pending")
        }

    def run(self) -> Swept:
        at: float | None = None
        # No two of them have the same rank and key in one moment, so what they carry is never compared.
        for change in sorted(self._changes()):
            if at is not None and change[0] > at:
                self._emit(at)
            at = change[0]
            self._apply(change)
        if at is not None:
            self._emit(at)
        integrals = {f"{name}.allocated": one for name, one in self._allocated.items()}
        integrals |= {f"{name}.capacity": one for name, one in self._capacity.items()} | self._others
        each = [*integrals.values(), *(one for queue in self._queues.values() for one in queue.integrals())]
        for one in each:
            one.hold(self._facts.end)
        return Swept(
            window=self._window,
            rows=self._rows,
            integrals=integrals,
            queues=self._queues,
            overcommitted=self._cluster.overcommitted,
        )

    def _changes(self) -> Iterator[Change]:
        """(moment, rank, key, what): what gives resources back comes before what takes them in the same moment."""
        for number, node in enumerate(self._facts.nodes):
            yield node.at, 1, f"{number:09}", node
        for pod in self._facts.pods:
            if pod.created is not None:
                yield pod.created, 2, pod.uid, (pod, "created")
            for number, (at, reason) in enumerate(pod.held):
                yield at, 3, f"{pod.uid}{number:06}", (pod, reason)
            if pod.bound is not None:
                yield pod.bound, 4, pod.uid, (pod, "bound")
            if pod.running is not None:
                yield pod.running, 5, pod.uid, (pod, "running")
            if pod.left is not None:
                # One that never was there for long: it cannot leave before it came.
                yield (
                    max(pod.left, pod.bound or 0.0, pod.created or 0.0),
                    0 if self._stays(pod) else 6,
                    pod.uid,
                    (pod, "left"),
                )

    @staticmethod
    def _stays(pod: Pod) -> bool:
        return pod.left is not None and pod.left > max(pod.bound or 0.0, pod.created or 0.0)

    def _apply(self, change: Change) -> None:
        what = change[3]
        if not isinstance(what, tuple):
            self._cluster.node(what)
            self._capacity_touched = self._use_touched = True
            return
        pod, event = what
        queue = self._queues[self._queue_of[pod.uid]]
        wanted = self._wanted[pod.uid]
        counts = self._counts
        match event:
            case "created":
                counts["created"] += 1
                self._wait(pod, queue, wanted, _NO_SCHEDULER)
            case "bound":
                counts["bound"] += 1
                counts["active"] += 1
                self._waits_no_more(pod, queue, wanted)
                self._use(pod, queue, wanted, 1)
            case "running":
                counts["running"] += 1
            case "left":
                if pod.ended is not None:
                    counts["finished"] += 1
                self._waits_no_more(pod, queue, wanted)
                if pod.bound is not None and pod.bound <= change[0]:
                    counts["active"] -= 1
                    self._use(pod, queue, wanted, -1)
            case reason if pod.uid in self._reason_of:
                self._wait(pod, queue, wanted, reason)
            case _:
                pass

    def _use(self, pod: Pod, queue: Queue, wanted: Amounts, sign: int) -> None:
        self._cluster.take(pod.node, wanted, sign)
        queue.used = plus(queue.used, wanted, sign)
        priority = str(pod.priority or 0)
        self._priorities[priority] += sign * int(wanted[0])
        self._use_touched = True
        self._queues_touched.add(queue.name)
        self._priorities_touched.add(priority)

    def _wait(self, pod: Pod, queue: Queue, wanted: Amounts, reason: str) -> None:
        self._waits_no_more(pod, queue, wanted)
        self._reason_of[pod.uid] = reason
        self._reasons[reason] += 1
        queue.pending += 1
        if queue.pending == 1:
            self._queues_touched.add(queue.name)
        self._counts["pending"] += 1
        if not reason.startswith("gated"):
            self._pending[wanted] += 1
            self._expected = self._expected or self._pending[wanted] == 1
        self._reasons_touched.add(reason)

    def _waits_no_more(self, pod: Pod, queue: Queue, wanted: Amounts) -> None:
        reason = self._reason_of.pop(pod.uid, None)
        if reason is None:
            return
        self._reasons[reason] -= 1
        queue.pending -= 1
        if queue.pending == 0:
            self._queues_touched.add(queue.name)
        self._counts["pending"] -= 1
        if not reason.startswith("gated"):
            self._pending[wanted] -= 1
            self._expected = self._expected or self._pending[wanted] == 0
        self._reasons_touched.add(reason)

    def _emit(self, at: float) -> None:
        """Take over what changed in this moment."""
        self._row("timeline", "", at, tuple(self._counts.values()))
        nodes = self._use_touched or self._expected
        if self._capacity_touched:
            self._capacity_touched = False
            self._capacity_changed(at)
        if self._use_touched:
            self._use_touched = False
            self._use_changed(at)
        if self._reasons_touched:
            for reason in sorted(self._reasons_touched):
                self._row("pending", reason, at, (reason, self._reasons[reason]))
            self._reasons_touched.clear()
        if self._priorities_touched:
            for priority in sorted(self._priorities_touched):
                self._row("priorities", priority, at, (priority, self._priorities[priority]))
            self._priorities_touched.clear()
        if self._queues_touched:
            self._queues_changed(at, sorted(self._queues_touched))
            self._queues_touched.clear()
        if nodes:
            self._free_changed(at)

    def _free_changed(self, at: float) -> None:
        cluster = self._cluster
        if self._expected:
            self._expected = False
            waiting = (request for request, count in self._pending.items() if count > 0 and request[0] > 0)
            cluster.expect(frozenset(waiting))
        self._others["stranded"].change(at, cluster.stranded)
        blocks = cluster.blocks
        row = (blocks["whole"], blocks["half"], blocks["few"], blocks["none"])
        self._row("blocks", "", at, (*row, cluster.free_gpus, cluster.stranded, round(cluster.fragmentation, 6)))

    def _capacity_changed(self, at: float) -> None:
        cluster = self._cluster
        for index, name in enumerate(RESOURCES):
            self._capacity[name].change(at, cluster.capacity[index])
        for pool, gpus in cluster.capacity_of.items():
            self._row("capacity", pool, at, (pool, gpus))

    def _use_changed(self, at: float) -> None:
        cluster = self._cluster
        # Without nodes in the recording all that is known is what pods took.
        allocated = cluster.allocated if self._facts.nodes else total(queue.used for queue in self._queues.values())
        for index, name in enumerate(RESOURCES):
            self._allocated[name].change(at, allocated[index])
        has, taken = cluster.capacity[0], allocated[0]
        self._others["occupancy"].change(at, taken / has if has else 0.0)
        self._others["fragmentation"].change(at, cluster.fragmentation)
        for pool, gpus in cluster.allocated_of.items():
            self._row("pools", pool, at, (pool, gpus))

    def _queues_changed(self, at: float, changed: Sequence[str]) -> None:
        capacity = self._cluster.capacity
        shares = [queue.share(capacity) for queue in self._queues.values() if queue.pending or queue.used != NOTHING]
        squares = sum([share * share for share in shares])
        jain = sum(shares) ** 2 / (len(shares) * squares) if squares else None
        self._others["jain"].change(at, jain)
        for name in changed:
            queue = self._queues[name]
            used = queue.used
            for index, resource in enumerate(RESOURCES):
                queue.use[resource].change(at, used[index])
            dominant = queue.dominant_share(capacity)
            queue.dominant.change(at, dominant)
            self._row("occupancy", name, at, (name, used[0]))
            self._row("fairness", name, at, (name, queue.share(capacity), dominant, jain))

    def _row(self, table: str, key: str, at: float, values: tuple[Any, ...]) -> None:
        if self._last.get((table, key)) != values:
            self._last[table, key] = values
            self._rows[table].append((at, *values))
