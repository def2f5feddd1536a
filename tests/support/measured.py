"""What measuring would give for made-up runs: gangs in two queues on GPU nodes, with preemptions and a gap."""

from __future__ import annotations

import heapq
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from knavtool.measure import names, tables
from knavtool.measure.table import About, Measure, Measured

_WORDS = ("0/{n} nodes are available: {n} Insufficient nvidia.com/gpu", "gated", "waiting for a scheduler")
_STEPS = {"timeline": 1, "occupancy": 2, "pools": 2, "priorities": 2, "fairness": 2, "blocks": 1}
_AGENTS = ("kube-scheduler", "kube-controller-manager", "kwok", "knavtool")


@dataclass(slots=True)
class Pod:
    """A pod of the made-up run; moments are None until they come."""

    name: str
    gang: str
    queue: str
    gpus: int
    created: float
    node: int | None = None
    bound: float | None = None
    running: float | None = None
    ended: float | None = None
    outcome: str = "pending"


@dataclass(slots=True)
class Gang:
    """A gang: all of `pods` or none, but for one that is bound in part first."""

    name: str
    queue: str
    priority: int
    runtime: float
    created: float
    pods: list[Pod]
    partial: bool = False
    done: bool = False


@dataclass
class World:
    """Nodes with 8 GPUs, and what the scheduler did."""

    nodes: int
    random: random.Random
    free: list[int] = field(default_factory=list)
    by_free: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    preempted: list[tuple[Any, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.free = [8] * self.nodes
        self.by_free[8] = list(range(self.nodes - 1, -1, -1))

    def total(self, wanted: int) -> int:
        return sum(len(self.by_free[size]) * (size // wanted) for size in range(wanted, 9))

    def take(self, wanted: int) -> int:
        size = next(size for size in range(wanted, 9) if self.by_free[size])
        node = self.by_free[size].pop()
        self.free[node] -= wanted
        self.by_free[self.free[node]].append(node)
        return node

    def give(self, node: int, gpus: int) -> None:
        self.by_free[self.free[node]].remove(node)
        self.free[node] += gpus
        self.by_free[self.free[node]].append(node)


def measured(
    *,
    pods: int = 288,
    nodes: int = 32,
    gang: int = 6,
    queues: tuple[str, ...] = ("team-a", "team-b"),
    seed: int = 1,
    over: float = 18.0,
    gap: bool = True,
    passed: bool | None = True,
    quota: bool = True,
    runtime: tuple[float, float] = (2.0, 5.0),
) -> Measured:
    """A run with this many pods in gangs of about `gang`, created over `over` seconds."""
    world = World(nodes, random.Random(seed))
    gangs = _gangs(world.random, pods, gang, queues, over, nodes, runtime)
    end = _run(world, gangs)
    return _measured(world, gangs, end + 1, gap=gap, passed=passed, queues=queues, quota=quota, name="gang-scheduling")


def big(seed: int = 1) -> Measured:
    """10,000 pods on 2,000 nodes."""
    return measured(
        pods=10_000,
        nodes=2000,
        gang=20,
        seed=seed,
        over=60,
        runtime=(12.0, 30.0),
        queues=("research", "serving", "batch"),
    )


def empty() -> Measured:
    """A run without a pod."""
    found = {
        name: Measure(name=name, value=None, unit=names.unit_of(name), n=0, why="no pod was created")
        for name in names.all_names()
    }
    about = About(name="empty", began="2026-11-28T20:15:00Z", seconds=0.0, clock="watch", whole=True, passed=True)
    return Measured(about=about, measures=found, tables={name: tables.table(name, ()) for name in tables.COLUMNS})


def _gangs(
    rand: random.Random,
    pods: int,
    size: int,
    queues: tuple[str, ...],
    over: float,
    nodes: int,
    runtime: tuple[float, float],
) -> list[Gang]:
    found: list[Gang] = []
    left = pods
    while left > 0:
        number = len(found)
        count = min(left, max(1, round(rand.gauss(size, size / 3))), nodes)
        left -= count
        created = over * (pods - left - count) / pods
        queue = queues[rand.choices(range(len(queues)), [3, 2, 1, 1, 1, 1, 1, 1, 1, 1][: len(queues)])[0]]
        gpus = rand.choice((8, 8, 8, 4, 2))
        name = f"default/job-{number:04}"
        members = [Pod(f"{name}-{index}", name, queue, gpus, created + index * 0.001) for index in range(count)]
        priority = 100 if number % 17 == 11 else 0
        found.append(Gang(name, queue, priority, rand.uniform(*runtime), created, members))
    wide = [gang for gang in found if len(gang.pods) > 3]
    for gang in wide[2::9]:
        gang.partial = True
    return found


def _run(world: World, gangs: list[Gang]) -> float:
    """Gangs in order of priority and arrival, as soon as they fit; returns when the last pod ended."""
    events: list[tuple[float, int, str, Any]] = []
    for number, gang in enumerate(gangs):
        heapq.heappush(events, (gang.created + 0.05, number, "arrive", gang))
    pending: list[Gang] = []
    running: list[Gang] = []
    counter, now = len(gangs), 0.0
    while events:
        now, _, kind, what = heapq.heappop(events)
        if kind == "arrive":
            pending.append(what)
            pending.sort(key=lambda one: (-one.priority, one.created))
        elif what in running:
            running.remove(what)
            for pod in what.pods:
                if pod.node is not None and pod.outcome != "preempted":
                    pod.ended, pod.outcome = now, "succeeded"
                    world.give(pod.node, pod.gpus)
        for gang in list(pending):
            gpus, wanted = gang.pods[0].gpus, [pod for pod in gang.pods if pod.node is None]
            room = world.total(gpus)
            if room < len(wanted) and gang.priority and running and len(running[-1].pods) < 20:
                _preempt(world, running.pop(), gang, now)
                room = world.total(gpus)
            if room < len(wanted) and not (gang.partial and room > 1):
                continue
            for index, pod in enumerate(wanted[:room]):
                pod.node = world.take(gpus)
                pod.bound = now + 0.002 * index + world.random.uniform(0.001, 0.03)
                pod.running = pod.bound + world.random.uniform(0.02, 0.2)
                pod.outcome = "running"
            if room < len(wanted):
                gang.partial = False
                continue
            pending.remove(gang)
            running.append(gang)
            counter += 1
            end = max(pod.running or 0 for pod in gang.pods) + gang.runtime
            heapq.heappush(events, (end, counter, "end", gang))
    return now


def _preempt(world: World, victim: Gang, by: Gang, now: float) -> None:
    for pod in victim.pods:
        if pod.node is not None and pod.bound is not None and pod.outcome == "running":
            pod.ended, pod.outcome = max(now, pod.running or now), "preempted"
            world.give(pod.node, pod.gpus)
            ran = pod.ended - pod.bound
            reason = "PreemptionByScheduler: preempting to accommodate a higher priority pod"
            world.preempted.append(
                (
                    pod.ended,
                    pod.name,
                    victim.name,
                    victim.queue,
                    f"gpu-{pod.node:04}",
                    pod.gpus,
                    ran,
                    pod.gpus * ran,
                    by.name,
                    reason,
                )
            )


def _measured(
    world: World,
    gangs: list[Gang],
    seconds: float,
    *,
    gap: bool,
    passed: bool | None,
    queues: tuple[str, ...],
    quota: bool,
    name: str,
) -> Measured:
    pods = [pod for gang in gangs for pod in gang.pods]
    rows: dict[str, list[tuple[Any, ...]]] = {name: [] for name in tables.COLUMNS}
    rows["pods"] = [_pod_row(pod, gang) for gang in gangs for pod in gang.pods]
    rows["gangs"] = [_gang_row(gang) for gang in gangs]
    rows["spans"] = [span for gang in gangs for span in _spans(gang, seconds)]
    rows["timeline"] = _timeline(pods)
    rows["rates"] = _rates(pods, seconds)
    rows["preemptions"] = sorted(world.preempted)
    changes = sorted(
        [(pod.bound, pod, 1) for pod in pods if pod.bound is not None]
        + [(pod.ended, pod, -1) for pod in pods if pod.ended is not None],
        key=lambda one: (one[0], one[2]),
    )
    _gpus(rows, changes, world.nodes, queues, quota=quota)
    rows["capacity"] = [(0.0, "dgx", world.nodes * 8)]
    for series, keys in _STEPS.items():
        # Of several states at one moment, the last one is what holds from then on.
        rows[series] = list({row[:keys]: row for row in rows[series]}.values())
    rows["heat"] = _heat(changes, world.nodes, seconds)
    rows["pending"] = _pending(rows["timeline"], world.nodes)
    rows["requests"] = _requests(world.random, rows["rates"])
    rows["processes"] = _processes(world.random, seconds)
    rows["queues"] = _queues(rows, queues, world.nodes * 8, quota=quota)
    rows["steps"] = _steps(seconds, passed)
    rows["gaps"] = [("Pod", "default", seconds * 0.55, seconds * 0.6, "the API server went away")] if gap else []
    rows["components"] = [
        ("kube-apiserver", "v1.36.1", "--max-requests-inflight=2000", ""),
        ("kube-scheduler", "v1.36.1", "--kube-api-qps=1000 --kube-api-burst=2000", "scoring=MostAllocated"),
        ("kwok-controller", "v0.8.0", "--node-lease-parallelism=10", ""),
    ]
    rows["tunables"] = [
        ("kube-scheduler", "clientQPS", "", "1000", "flag"),
        ("kube-scheduler", "workers", "nodes", "16", "default"),
    ]
    about = About(
        name=name,
        began="2026-11-28T20:15:00.123456Z",
        seconds=seconds,
        clock="audit",
        whole=True,
        passed=passed,
        lag_p50=0.0021,
        lag_p95=0.0084,
        lag_max=0.113,
        lag_n=len(pods) * 4,
        saturated=("processors of the machine were 97% busy",) if len(pods) > 1000 else (),
        notes=("pods of namespace default were not seen for 1.1s",) if gap else (),
        environment={
            "knavtool": "0.9.0",
            "server": "v1.36.1",
            "context": "knavtool-demo",
            "cores": "2",
            "engine": "local",
            "python": "3.11.7",
        },
    )
    found = _measures(rows, pods, world.nodes, seconds)
    return Measured(
        about=about, measures=found, tables={name: tables.table(name, rows[name]) for name in tables.COLUMNS}
    )


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _pod_row(pod: Pod, gang: Gang) -> tuple[Any, ...]:
    node = None if pod.node is None else f"gpu-{pod.node:04}"
    return (
        pod.name, pod.gang, pod.queue, gang.priority, "default-scheduler", node, "dgx", pod.gpus, 8.0, 64.0 * 2**30,
        pod.created, pod.bound, pod.running, pod.ended, pod.ended, _less(pod.bound, pod.created),
        _less(pod.running, pod.bound), _less(pod.ended, pod.running), None,
        1 + int((_less(pod.bound, pod.created) or 0) > 1), pod.outcome,
    )  # fmt: skip


def _gang_row(gang: Gang) -> tuple[Any, ...]:
    bound = sorted(pod.bound for pod in gang.pods if pod.bound is not None)
    ended = max((pod.ended for pod in gang.pods if pod.ended is not None), default=None)
    least = len(gang.pods)
    full = bound[-1] if len(bound) == least else None
    created = gang.pods[0].created
    first = bound[0] if bound else None
    runtime = max((pod.ended - pod.running for pod in gang.pods if pod.ended and pod.running), default=None)
    turnaround = _less(ended, gang.created)
    return (
        gang.name, "Job", gang.queue, gang.priority, len(gang.pods), least, sum(pod.gpus for pod in gang.pods),
        gang.created,
        gang.created + 0.02, first, full, full, ended, 0.02, _less(first, gang.created),
        _less(full, gang.created), _less(full, gang.created), _less(full, created),
        _less(full, first), _less(full, first) or 0.0, turnaround,
        turnaround / runtime if turnaround and runtime else None,
        0,
        sum(pod.outcome == "preempted" for pod in gang.pods), "done" if ended else "pending",
    )  # fmt: skip


def _spans(gang: Gang, seconds: float) -> list[tuple[Any, ...]]:
    row = dict(zip((column.name for column in tables.COLUMNS["gangs"]), _gang_row(gang), strict=True))
    last = seconds if row["ended"] is None else row["ended"]
    first = last if row["first"] is None else row["first"]
    enough = last if row["enough"] is None else row["enough"]
    states = [("waiting", gang.created, first), ("partial", first, enough), ("bound", enough, last)]
    return [(gang.name, gang.queue, state, since, until) for state, since, until in states if until > since]


def _timeline(pods: list[Pod]) -> list[tuple[Any, ...]]:
    moments = [(getattr(pod, what), what) for pod in pods for what in ("created", "bound", "running", "ended")]
    seen: Counter[str] = Counter()
    found = []
    for at, what in sorted((at, what) for at, what in moments if at is not None):
        seen[what] += 1
        c, b, r, e = (seen[one] for one in ("created", "bound", "running", "ended"))
        found.append((at, c, b, r, e, c - b, b - e))
    return found


def _rates(pods: list[Pod], seconds: float) -> list[tuple[Any, ...]]:
    counts = {
        what: Counter(int(at) for pod in pods if (at := getattr(pod, what)) is not None)
        for what in ("created", "bound", "ended")
    }
    return [(float(second), *(counts[what][second] for what in counts)) for second in range(int(seconds) + 1)]


def _gpus(rows: dict[str, list[Any]], changes: list[Any], nodes: int, queues: tuple[str, ...], *, quota: bool) -> None:
    used: Counter[str] = Counter()
    free = [8] * nodes
    blocks = Counter({8: nodes})
    part = nodes * 8 / len(queues)
    rows["occupancy"] += [(0.0, queue, 0) for queue in queues]
    rows["pools"].append((0.0, "dgx", 0))
    for at, pod, sign in changes:
        used[pod.queue] += sign * pod.gpus
        blocks[free[pod.node]] -= 1
        free[pod.node] -= sign * pod.gpus
        blocks[free[pod.node]] += 1
        rows["occupancy"].append((at, pod.queue, used[pod.queue]))
        rows["pools"].append((at, "dgx", used.total()))
        rows["priorities"].append((at, "0", used.total()))
        half, few = sum(blocks[size] for size in range(4, 8)), sum(blocks[size] for size in range(1, 4))
        left = nodes * 8 - used.total()
        stranded = left - 8 * blocks[8]
        rows["blocks"].append((at, blocks[8], half, few, blocks[0], left, stranded, stranded * 0.8))
        shares = [used[queue] / (part if quota else nodes * 8) for queue in queues]
        jain = sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares)) if any(shares) else 1.0
        rows["fairness"].append(
            (at, pod.queue, used[pod.queue] / (part if quota else nodes * 8), used[pod.queue] / (nodes * 8), jain)
        )


def _heat(changes: list[Any], nodes: int, seconds: float, columns: int = 60) -> list[tuple[Any, ...]]:
    width = seconds / columns
    used = [0] * nodes
    group = 1 if nodes <= 64 else 8 if nodes <= 512 else 32
    found = []
    position = 0
    for column in range(columns):
        highest: Counter[int] = Counter()
        for node in range(nodes):
            highest[node // group] = max(highest[node // group], used[node])
        while position < len(changes) and changes[position][0] < (column + 1) * width:
            _, pod, sign = changes[position]
            used[pod.node] += sign * pod.gpus
            highest[pod.node // group] = max(highest[pod.node // group], used[pod.node])
            position += 1
        for row in range((nodes + group - 1) // group):
            rack = f"rack-{row * group // (8 if group == 1 else 256):02}"
            name = f"gpu-{row:04}" if group == 1 else f"{rack}-{row % 8}"
            found.append((name, rack, group, column * width, (column + 1) * width, highest[row] / 8))
    return found


def _pending(timeline: list[tuple[Any, ...]], nodes: int) -> list[tuple[Any, ...]]:
    found = []
    for at, *_, pending, _active in timeline:
        new = min(pending, 6)
        found += [(at, _WORDS[2], new), (at, _WORDS[0].format(n=nodes), pending - new)]
    return found


def _requests(rand: random.Random, rates: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    found = []
    for second, created, bound, ended in rates:
        for agent, verb, resource, count in (
            (_AGENTS[0], "create", "pods/binding", bound),
            (_AGENTS[0], "patch", "pods/status", bound // 3),
            (_AGENTS[1], "create", "pods", created),
            (_AGENTS[1], "update", "jobs/status", ended),
            (_AGENTS[2], "patch", "pods/status", bound + ended),
            (_AGENTS[3], "create", "jobs", created // 6 + rand.randint(0, 1)),
        ):
            if count:
                found.append((second, agent, verb, resource, count))
    return found


def _processes(rand: random.Random, seconds: float) -> list[tuple[Any, ...]]:
    levels = {
        "kube-apiserver": (0.6, 310e6),
        "etcd": (0.25, 90e6),
        "kube-scheduler": (0.2, 80e6),
        "kwok-controller": (0.3, 70e6),
    }
    levels |= {"kube-controller-manager": (0.2, 110e6), "knavtool": (0.08, 74e6)}
    return [
        (float(second), process, max(0.0, rand.gauss(cpu, cpu / 3)), memory * (1 + second / (4 * seconds)))
        for second in range(int(seconds) + 1)
        for process, (cpu, memory) in levels.items()
    ]


def _queues(
    rows: dict[str, list[Any]], queues: tuple[str, ...], capacity: int, *, quota: bool
) -> list[tuple[Any, ...]]:
    found = []
    for queue in queues:
        mine = [row for row in rows["pods"] if row[2] == queue]
        gangs = [row for row in rows["gangs"] if row[2] == queue]
        waits = sorted(row[15] for row in gangs if row[15] is not None)
        used = [gpus for _, name, gpus in rows["occupancy"] if name == queue]
        mean, part = sum(used) / max(len(used), 1), capacity / len(queues) if quota else None
        found.append(
            (
                queue, len(mine), len(gangs), "nvidia.com/gpu", part, mean, max(used, default=0),
                mean / part if part else None,
                mean / capacity, _rank(waits, 0.5), _rank(waits, 0.95), max(waits, default=None),
                sum(row[19] == "preempted" for row in mine),
            )
        )  # fmt: skip
    return found


def _steps(seconds: float, passed: bool | None) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = [
        ("1", "", "run", "gang-scheduling", "", 0.0, seconds, "ok" if passed else "failed", ""),
        ("2", "1", "workflow", "gang-scheduling.yml", "", 0.0, seconds, "ok" if passed else "failed", ""),
    ]
    tasks = [
        ("register", "RegisterObj"),
        ("configure", "Configure"),
        ("submit", "SubmitObj"),
        ("gangs", "CheckPod"),
        ("place", "CheckPlacement"),
    ]
    for number, (name, type_) in enumerate(tasks):
        ok = bool(passed) or name != "gangs"
        message = (
            "288 pods Running"
            if ok and name == "gangs"
            else ""
            if ok
            else "12 of 288 pods are Pending after 20s:\njob-0031-2: 0/32 nodes are available"
        )
        found.append(
            (
                str(number + 3),
                "2",
                "task",
                name,
                type_,
                number * seconds / 6,
                (number + 1) * seconds / 6,
                "ok" if ok else "failed",
                message,
            )
        )
    return found


def _rank(ordered: list[float], q: float) -> float | None:
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)] if ordered else None


def _measures(rows: dict[str, list[Any]], pods: list[Pod], nodes: int, seconds: float) -> dict[str, Measure]:
    found: dict[str, Measure] = {}
    for name, quantity in names.DISTRIBUTIONS.items():
        index = [column.name for column in tables.COLUMNS[quantity.table]].index(quantity.column)
        values = sorted(row[index] for row in rows[quantity.table] if row[index] is not None)
        statistics = {
            "mean": sum(values) / len(values) if values else None, "min": min(values, default=None),
            "max": max(values, default=None),
            **{f"p{p}": _rank(values, p / 100) for p in (50, 90, 95, 99)},
        }  # fmt: skip
        for statistic in names.STATISTICS:
            value = statistics[statistic]
            found[f"{name}.{statistic}"] = Measure(
                name=f"{name}.{statistic}",
                value=value,
                unit=quantity.unit,
                n=len(values),
                why="" if values else "there is no sample",
            )
    ends = [pod.ended for pod in pods if pod.ended is not None]
    bound = [pod.bound for pod in pods if pod.bound is not None]
    capacity = nodes * 8
    time = sum((pod.ended - pod.bound) * pod.gpus for pod in pods if pod.ended is not None and pod.bound is not None)
    single = {
        "makespan": max(ends) - pods[0].created, "pods.count": len(pods), "pods.bound": len(bound),
        "pods.ended": len(ends),
        "pods.rate.mean": len(bound) / (max(bound) - pods[0].created),
        "pods.rate.max": max(row[2] for row in rows["rates"]),
        "pods.created.rate.mean": len(pods) / (pods[-1].created + 1), "gangs.count": len(rows["gangs"]),
        "gangs.partial": sum(row[18] > 0.5 for row in rows["gangs"]),
        "gang.partial.time": sum(row[18] for row in rows["gangs"]),
        "gpu.capacity": capacity, "gpu.allocated.mean": time / seconds,
        "gpu.allocated.max": max(row[2] for row in rows["pools"]), "gpu.allocated.time": time,
        "gpu.occupancy.mean": time / seconds / capacity,
        "gpu.occupancy.max": max(row[2] for row in rows["pools"]) / capacity,
        "gpu.stranded.mean": sum(row[6] for row in rows["blocks"]) / len(rows["blocks"]),
        "gpu.stranded.max": max(row[6] for row in rows["blocks"]),
        "preemptions.count": len(rows["preemptions"]), "evictions.count": len(rows["preemptions"]),
        "preemptions.lost": sum(row[7] for row in rows["preemptions"]),
        "requests.count": sum(row[4] for row in rows["requests"]),
        "watch.lag.p50": 0.0021, "watch.lag.p95": 0.0084, "watch.lag.max": 0.113,
    }  # fmt: skip
    for name, (unit, _) in names.SINGLE.items():
        value = single.get(name)
        found[name] = Measure(
            name=name,
            value=value,
            unit=unit,
            n=len(pods) if value is not None else 0,
            why="" if value is not None else "not measured here",
        )
    return found
