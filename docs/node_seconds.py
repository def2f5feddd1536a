"""Tell what nodes do while gangs of whole-node pods run, for the pages of docs/results.

Usage: python docs/node_seconds.py BENCH-DIR NODES

Of each contender, the mean of the repetitions that count, in node-seconds: pods that run to their end; pods that are
bound and do not run, or are only placeholders; free nodes on which a gang that waits would fit, which is what the
scheduler loses; free nodes on which none fits; free nodes when no gang waits any more.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from knavtool.bench import json_file
from knavtool.measure.measuring import measure_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knavtool.measure.table import Measured

PARTS = ("running", "starting", "a gang would fit", "no gang fits", "no gang waits")


def node_seconds(measured: Measured, nodes: int) -> Mapping[str, float]:
    """What the nodes did between the first creation and the last end; each pod takes a whole node."""
    pods = [one for one in measured.tables["pods"].dicts() if one["bound"] is not None]
    gangs = list(measured.tables["gangs"].dicts())
    begin = min(one["created"] for one in gangs)
    end = max(one["ended"] for one in pods if one["ended"] is not None)
    moments = {begin, end, *(one["created"] for one in gangs)}
    for one in pods:
        moments |= {one["bound"], one["running"], _left(one)}
    found: Counter[str] = Counter()
    times = sorted(one for one in moments if one is not None and begin <= one <= end)
    for since, until in itertools.pairwise(times):
        running = sum(_within(since, one["running"], one["ended"]) for one in pods if one["ended"] is not None)
        bound = sum(_within(since, one["bound"], _left(one)) for one in pods)
        free = nodes - bound
        waiting = _waiting(since, gangs, pods)
        found["running"] += running * (until - since)
        found["starting"] += (bound - running) * (until - since)
        found[PARTS[4] if not waiting else PARTS[2] if min(waiting) <= free else PARTS[3]] += free * (until - since)
    return found


def _left(pod: Mapping[str, Any]) -> float | None:
    """When a pod left its node."""
    ends: Sequence[float] = [pod[name] for name in ("ended", "deleted") if pod[name] is not None]
    return min(ends, default=None)


def _within(moment: float, since: float | None, until: float | None) -> bool:
    return since is not None and since <= moment and (until is None or moment < until)


def _waiting(moment: float, gangs: Sequence[Mapping[str, Any]], pods: Sequence[Mapping[str, Any]]) -> list[int]:
    """How many pods each gang lacks that was created and is not bound whole."""
    bound = Counter(one["gang"] for one in pods if one["bound"] <= moment and one["ended"] is not None)
    lacking = [one["pods"] - bound[one["gang"]] for one in gangs if one["created"] <= moment]
    return [one for one in lacking if one > 0]


def main() -> None:
    """Print a table in Markdown."""
    bench, nodes = Path(sys.argv[1]), int(sys.argv[2])
    result = json_file.load(bench)
    sys.stdout.write(f"| contender | {' | '.join(PARTS)} |\n|---|{'--:|' * len(PARTS)}\n")
    for contender in result.contenders:
        counted = [one for one in result.attempts if one.counted and one.contender == contender.name]
        found = [node_seconds(measure_file(bench / one.directory), nodes) for one in counted]
        cells = [f"{mean(one[part] for one in found):.0f}" for part in PARTS] if found else ["-" for _ in PARTS]
        sys.stdout.write(f"| {contender.name} | {' | '.join(cells)} |\n")


if __name__ == "__main__":
    main()
