"""The measures that are one number for the whole run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.measure import load
from knavtool.measure.names import SINGLE
from knavtool.measure.resources import amounts
from knavtool.measure.statistics import percentile
from knavtool.measure.table import Measure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from knavtool.measure.facts import Facts
    from knavtool.measure.integral import Integral
    from knavtool.measure.sweep import Swept
    from knavtool.measure.table import Table

_NO_PODS = "no pod was created while it was recorded"
_NO_NODES = "nodes were not recorded"
_NO_GPUS = "no node had GPUs"


def measures(facts: Facts, swept: Swept, tables: Mapping[str, Table]) -> Iterator[Measure]:
    """All of `names.SINGLE`."""
    return _Run(facts, swept, tables).all()


class _Run:
    def __init__(self, facts: Facts, swept: Swept, tables: Mapping[str, Table]) -> None:
        self._facts = facts
        self._swept = swept
        self._tables = tables
        own = [pod for pod in facts.pods if not pod.late]
        self._created = [pod.created for pod in own if pod.created is not None]
        self._bound = [pod.bound for pod in own if pod.bound is not None]
        self._ended = [pod.ended for pod in own if pod.ended is not None]

    def all(self) -> Iterator[Measure]:
        yield from self._pods()
        yield from self._gangs()
        yield from self._resources()
        yield from self._lost()
        yield from self._tool()

    def _measure(self, name: str, value: float | None, n: int, why: str = "") -> Measure:
        return Measure(name=name, value=value, unit=SINGLE[name][0], n=n, why="" if value is not None else why)

    def _pods(self) -> Iterator[Measure]:
        count, facts = len(self._created), self._facts
        open_ = sum(pod.left is None for pod in facts.pods if not pod.late)
        makespan = max(self._ended) - min(self._created) if self._ended and not open_ else None
        why = f"{open_} of {count} pods had not ended" if open_ else "no pod ended" if count else _NO_PODS
        yield self._measure("makespan", makespan, len(self._ended), why)
        yield self._measure("pods.count", count, count)
        yield self._measure("pods.bound", len(self._bound), count)
        yield self._measure("pods.ended", len(self._ended), count)
        span = max(self._bound) - min(self._created) if self._bound else 0.0
        why = "no pod was bound" if count else _NO_PODS
        # One pod has no rate: it takes the time between pods.
        mean = len(self._bound) / span if span > 0 and len(self._bound) > 1 else None
        yield self._measure("pods.rate.mean", mean, len(self._bound), why if not self._bound else "one pod has no rate")
        best = max(self._tables["rates"].column("bound"), default=0)
        yield self._measure("pods.rate.max", best if self._bound else None, len(self._bound), why)
        asked = max(self._created) - min(self._created) if self._created else 0.0
        rate = count / asked if asked > 0 and count > 1 else None
        yield self._measure("pods.created.rate.mean", rate, count, "one pod has no rate" if count else _NO_PODS)

    def _gangs(self) -> Iterator[Measure]:
        table = self._tables["gangs"]
        partial = [seconds for seconds in table.column("partial") if seconds is not None]
        why = "of no gang it is known" if table.rows else "there were no gangs"
        yield self._measure("gangs.count", len(table.rows), len(table.rows))
        yield self._measure("gangs.partial", sum(one > 0 for one in partial) if partial else None, len(partial), why)
        yield self._measure("gang.partial.time", sum(partial) if partial else None, len(partial), why)

    def _resources(self) -> Iterator[Measure]:
        found, facts = self._swept.integrals, self._facts
        n = len(facts.pods)
        nodes = _NO_NODES if not facts.nodes else ""
        empty = _NO_PODS if self._swept.window is None else "the run took no time"
        has, taken = found["gpu.capacity"], found["gpu.allocated"]
        why = nodes or (empty if any(amounts(node.allocatable)[0] for node in facts.nodes) else _NO_GPUS)
        gpus = bool(has.high)
        yield self._measure("gpu.capacity", has.high if gpus else None, len({node.name for node in facts.nodes}), why)
        known = gpus or (not facts.nodes and taken.high is not None)
        yield self._measure("gpu.allocated.mean", taken.mean if known else None, n, why)
        yield self._measure("gpu.allocated.max", taken.high if known else None, n, why)
        yield self._measure("gpu.allocated.time", taken.area if known else None, n, why)
        yield self._measure("gpu.occupancy.mean", _share(taken, has), n, why)
        yield self._measure("gpu.occupancy.max", found["occupancy"].high if gpus else None, n, why)
        for name in ("stranded", "fragmentation"):
            yield self._measure(f"gpu.{name}.mean", found[name].mean if gpus else None, n, why)
            yield self._measure(f"gpu.{name}.max", found[name].high if gpus else None, n, why)
        yield self._measure("gpu.stranded.time", found["stranded"].area if gpus else None, n, why)
        for name in ("cpu", "memory"):
            share = _share(found[f"{name}.allocated"], found[f"{name}.capacity"])
            yield self._measure(f"{name}.occupancy.mean", share, n, nodes or empty)
        queues = len(self._swept.queues)
        jain = found["jain"]
        why = empty if self._swept.window is None else "no queue used anything"
        yield self._measure("fairness.jain.mean", jain.mean, queues, why)
        yield self._measure("fairness.jain.min", jain.low, queues, why)

    def _lost(self) -> Iterator[Measure]:
        pods = self._tables["pods"]
        outcomes = pods.column("outcome")
        lost = [one for one in self._tables["preemptions"].column("lost") if one is not None]
        yield self._measure("preemptions.count", outcomes.count("preempted"), len(outcomes))
        yield self._measure("evictions.count", len(self._tables["preemptions"].rows), len(outcomes))
        yield self._measure("preemptions.lost", sum(lost), len(lost))

    def _tool(self) -> Iterator[Measure]:
        facts = self._facts
        requests = sum(row[-1] for row in facts.requests) if facts.requests else None
        yield self._measure("requests.count", requests, requests or 0, "there was no audit log")
        why = "the moments come from the watch alone" if facts.clock == "watch" else "no pod was seen"
        for name, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0)):
            lag = percentile(facts.lags, share) if facts.lags else None
            yield self._measure(f"watch.lag.{name}", lag, len(facts.lags), why)
        asked = facts.environment.get("qps")
        limit = float(asked) if asked else None
        yield self._measure("tool.rate.asked", limit, int(limit is not None), "no limit was asked for")
        own = [(at, count) for at, agent, _, _, count in facts.requests if agent == load.TOOL]
        sent = sum(count for _, count in own)
        mean = sent / (own[-1][0] + 1 - own[0][0]) if own else None
        yield self._measure("tool.rate.mean", mean, sent, "there was no audit log")
        cpu, samples = load.mean_of_tool(facts)
        yield self._measure("tool.cpu.mean", cpu, samples, "there were too few samples")
        late = max((lag for _, lag in facts.loop), default=None)
        yield self._measure("tool.lag.max", late, len(facts.loop), "there were no samples")
        begin, end = self._swept.window or (0.0, 0.0)
        share_in_use, samples = load.mean_of_machine(facts, begin, end)
        yield self._measure("machine.cpu.mean", share_in_use, samples, "there were too few samples")
        others, samples = load.mean_of_others(facts)
        why = "the processes of the cluster are not known" if samples > 1 else "there were too few samples"
        yield self._measure("machine.others.mean", others, samples, why)


def _share(part: Integral, whole: Integral) -> float | None:
    return part.area / whole.area if whole.area > 0 else None
