"""Recordings of runs that did not take place: a scheduler that never gives a node more than it has."""

from __future__ import annotations

import gzip
import heapq
import random
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Facts = list[dict[str, Any]]
_MEMORY = 2**30


def run_of(
    seed: int = 0,
    *,
    nodes: int = 8,
    pods: int = 100,
    queues: int = 2,
    gang: int = 4,
    preemptions: float = 0.0,
    whole: bool = True,
) -> Facts:
    """The facts of a run: gangs of up to `gang` pods come one after another and go where there is room.

    With `preemptions` this share of the pods is taken away once; another pod is made in its place.
    """
    chance = random.Random(seed)
    facts: Facts = [
        {"fact": "recording", "at": 0.0, "format": 1, "began": "2026-01-01T00:00:00+00:00"},
        {"fact": "step", "at": 0.001, "event": "started", "step": 1, "kind": "run", "name": "simulated"},
    ]
    free: list[list[float]] = []
    for number in range(nodes):
        gpus = chance.choice((8, 8, 4))
        free.append([gpus, 64.0])
        facts.append(
            {
                "fact": "node",
                "at": 0.01,
                "event": "seen",
                "name": f"node-{number}",
                "allocatable": {"nvidia.com/gpu": gpus, "cpu": 64, "memory": 512 * _MEMORY, "pods": 110},
                "labels": {"topology.kubernetes.io/rack": f"rack-{number // 4}"},
                "ready": True,
            }
        )
    waiting: list[tuple[float, int, dict[str, Any]]] = []
    ends: list[tuple[float, int, int, float, dict[str, Any], bool]] = []
    count = number = 0
    now = 1.0
    while count < pods:
        size = min(chance.randint(1, gang), pods - count)
        gpus = chance.choice((0, 1, 2, 4, 8))
        queue = f"queue-{chance.randrange(queues)}"
        owner = f"job-{number}"
        for index in range(size):
            about = {"uid": f"pod-{count}", "namespace": queue, "name": f"{owner}-{index}"}
            created = {**about, "owner": owner, "ownerUid": owner, "ownerKind": "Job", "priority": number % 3}
            requests = {"nvidia.com/gpu": gpus, "cpu": 1, "memory": _MEMORY}
            facts.append({"fact": "pod", "at": now, "event": "created", **created, "requests": requests})
            heapq.heappush(waiting, (now, count, {**about, "gpus": gpus}))
            count += 1
        number += 1
        now = round(now + chance.expovariate(20.0), 6)
        now = _schedule(chance, facts, free, waiting, ends, now, preemptions)
    while ends:
        now = _schedule(chance, facts, free, waiting, ends, max(now, ends[0][0]), preemptions)
    if whole:
        facts.append({"fact": "step", "at": now + 1, "event": "ended", "step": 1, "result": "ok"})
        facts.append({"fact": "end", "at": now + 1})
    return facts


def _schedule(
    chance: random.Random,
    facts: Facts,
    free: list[list[float]],
    waiting: list[tuple[float, int, dict[str, Any]]],
    ends: list[tuple[float, int, int, float, dict[str, Any], bool]],
    now: float,
    preemptions: float,
) -> float:
    """End what is due, then bind what fits."""
    while ends and ends[0][0] <= now:
        at, _, node, gpus, about, taken = heapq.heappop(ends)
        free[node][0] += gpus
        free[node][1] += 1
        if taken:
            facts.append({"fact": "pod", "at": at, "event": "disrupted", **about, "reason": "PreemptionByScheduler: x"})
            facts.append({"fact": "pod", "at": at, "event": "deleted", **about})
        else:
            facts.append({"fact": "pod", "at": at, "event": "succeeded", **about})
    held = []
    while waiting:
        _, number, pod = heapq.heappop(waiting)
        about = {key: pod[key] for key in ("uid", "namespace", "name")}
        start = chance.randrange(len(free))
        for step in range(min(len(free), 20)):
            node = (start + step) % len(free)
            if free[node][0] >= pod["gpus"] and free[node][1] >= 1:
                free[node][0] -= pod["gpus"]
                free[node][1] -= 1
                now = round(now + 0.001, 6)
                facts.append({"fact": "pod", "at": now, "event": "bound", **about, "node": f"node-{node}"})
                facts.append({"fact": "pod", "at": now + 0.1, "event": "running", **about})
                end = round(now + 0.2 + chance.expovariate(0.2), 6)
                taken = chance.random() < preemptions
                heapq.heappush(ends, (end, number, node, pod["gpus"], about, taken))
                break
        else:
            if not pod.get("tried"):
                facts.append(
                    {"fact": "pod", "at": now, "event": "unschedulable", **about, "reason": "Unschedulable: full"}
                )
            held.append((0.0, number, {**pod, "tried": True}))
            if len(held) > 50:
                break
    for one in held:
        heapq.heappush(waiting, one)
    return now


def write(path: Path, facts: Iterable[dict[str, Any]]) -> Path:
    """A recording with these facts, in gzip members as a run writes them."""
    lines = [orjson.dumps(fact) for fact in facts]
    with path.open("wb") as file:
        for start in range(0, len(lines), 5000):
            file.write(gzip.compress(b"\n".join(lines[start : start + 5000]) + b"\n", 6, mtime=0))
    return path
