"""The state of a cluster as far as its metrics need it, kept up to date object by object."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

from knavtool.exporter.blocks import Blocks, blocks
from knavtool.exporter.seen import BOUND, ENDED, GATED, PENDING_STATES, Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from knavtool.exporter.gangs import Gangs
    from knavtool.exporter.seen import Node, Pod, Tracked
    from knavtool.kube.watching import Key
    from knavtool.measure.resources import Amounts


T = TypeVar("T")


class Cluster:
    """Nodes by name and pods by (namespace, name). What is not there any more leaves nothing behind.

    Pods that are bound count on their node until they end or are gone, whatever their phase. Sums are made anew from
    the pods when they are asked for, so that no rounding adds up.
    """

    def __init__(self, tracked: Tracked, gangs: Gangs) -> None:
        self.tracked = tracked
        self.nodes: dict[str, Node] = {}
        self.pods: dict[Key, Pod] = {}
        self.gangs = gangs
        self._on: dict[str, dict[Shape, int]] = {}
        self._used: dict[str, Shape] = {}
        self._pending: dict[tuple[str, Shape], int] = {}
        nothing = (0.0,) * len(tracked.resources)
        self._nothing = Shape(requests=nothing, limits=nothing)

    def take_node(self, name: str, node: Node | None) -> None:
        """A node as it is now; None if it is gone."""
        if node is None:
            self.nodes.pop(name, None)
            self._used.pop(name, None)
        else:
            self.nodes[name] = node

    def take_pod(self, key: Key, pod: Pod | None, now: float, *, late: bool = False) -> None:
        """A pod as it is now; None if it is gone. `late` says that it was there before anybody looked."""
        before = self.pods.pop(key, None)
        if pod is not None:
            self.pods[key] = pod
        if before == pod:
            return
        self._count(before, -1)
        self._count(pod, 1)
        self._tell_gangs(before, pod, now, late=late)

    def used(self, name: str) -> Shape:
        """The sum of what the pods on a node ask for."""
        found = self._used.get(name)
        if found is None:
            found = self._sum(self._on.get(name, {}))
            if name in self.nodes:
                self._used[name] = found
        return found

    def pending(self) -> dict[str, int]:
        """How many pods have no node yet, by their state."""
        counts = dict.fromkeys(PENDING_STATES, 0)
        for (state, _), count in self._pending.items():
            counts[state] += count
        return counts

    def blocks(self) -> Blocks:
        """Free and stranded GPUs now."""
        # What a gate holds back asks for nothing yet.
        return blocks(self._amounts(), (shape.amounts for state, shape in self._pending if state != GATED))

    def _amounts(self) -> Iterator[tuple[Amounts, Amounts]]:
        return ((node.amounts, self.used(name).amounts) for name, node in self.nodes.items())

    def _count(self, pod: Pod | None, sign: int) -> None:
        if pod is None or pod.state == ENDED:
            return
        if pod.state == BOUND:
            self._used.pop(pod.node, None)
            on = self._on.setdefault(pod.node, {})
            _add(on, pod.shape, sign)
            if not on:
                del self._on[pod.node]
        else:
            _add(self._pending, (pod.state, pod.shape), sign)

    def _tell_gangs(self, before: Pod | None, pod: Pod | None, now: float, *, late: bool) -> None:
        old, was_bound = (before.gang, bool(before.node)) if before is not None else (None, False)
        new, is_bound = (pod.gang, bool(pod.node)) if pod is not None else (None, False)
        # If it has no node any more, it is another pod of the same name.
        same = old == new and (is_bound or not was_bound)
        if old is not None and not same:
            self.gangs.went(old, now, waiting=not was_bound)
        if new is not None and not same:
            self.gangs.came(new, now, bound=is_bound, late=late)
        elif new is not None and is_bound and not was_bound:
            self.gangs.bound(new, now)

    def _sum(self, pods: Mapping[Shape, int]) -> Shape:
        if not pods:
            return self._nothing
        if len(pods) == 1 and 1 in pods.values():
            return next(iter(pods))
        gpus, cores, memory = _sums((shape.amounts, count) for shape, count in pods.items())
        return Shape(
            requests=_sums((shape.requests, count) for shape, count in pods.items()),
            limits=_sums((shape.limits, count) for shape, count in pods.items()),
            amounts=(gpus, cores, memory),
        )


def _sums(counted: Iterable[tuple[tuple[float, ...], int]]) -> tuple[float, ...]:
    """The sums of tuples that are there several times; a quantity has no more than nine decimals."""
    columns = zip(*(tuple(count * value for value in values) for values, count in counted), strict=True)
    return tuple(round(math.fsum(column), 9) for column in columns)


def _add(counts: dict[T, int], key: T, sign: int) -> None:
    """Count up or down; what is counted no more is forgotten."""
    counts[key] = counts.get(key, 0) + sign
    if not counts[key]:
        del counts[key]
