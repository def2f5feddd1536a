"""The cluster at one moment of a sweep: what is free on its nodes, and what of that nobody can use.

Nodes with the same free resources are counted together, so that a change costs as much as there are different ones.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from knavtool.measure.resources import NOTHING, Amounts, amounts, fits, plus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.measure.facts import NodeState

_WHOLE, _HALF = 8, 4


class Cluster:
    """Nodes that are Ready, what they have and what pods took of it.

    `mix` has how common each request of the run is, as a share of one. Pods on nodes that are not there count for
    nothing until the node comes back.
    """

    def __init__(self, mix: Mapping[Amounts, float]) -> None:
        self._mix = mix
        self._unusable: dict[Amounts, float] = {}
        self._nodes: dict[str, NodeState] = {}
        self._has: dict[str, Amounts] = {}
        self._taken: dict[str, Amounts] = {}
        self._free: Counter[Amounts] = Counter()
        self._free_of: dict[str, Amounts] = {}
        self.capacity: Amounts = NOTHING
        self.allocated: Amounts = NOTHING
        self.capacity_of: dict[str, float] = {}
        self.allocated_of: dict[str, float] = {}
        self.fragmentation = 0.0
        self.free_gpus = 0.0
        self.stranded = 0.0
        self._expected: frozenset[Amounts] = frozenset()
        self._stuck: dict[Amounts, bool] = {}
        self.blocks: Counter[str] = Counter()
        self.overcommitted: set[str] = set()

    def node(self, state: NodeState) -> None:
        """A node came, went or changed."""
        self._count(state.name, -1)
        has = amounts(state.allocatable) if state.allocatable else None
        if has is None:
            self._nodes.pop(state.name, None)
            self._has.pop(state.name, None)
        else:
            self._nodes[state.name] = state
            self._has[state.name] = has
        self._count(state.name, 1)

    def take(self, node: str, wanted: Amounts, sign: int = 1) -> None:
        """A pod took resources of a node, or with `sign` -1 gave them back."""
        taken = self._taken[node] = plus(self._taken.get(node, NOTHING), wanted, sign)
        has = self._has.get(node)
        if has is None:
            return
        self.allocated = plus(self.allocated, wanted, sign)
        self.allocated_of[self._nodes[node].pool] += sign * wanted[0]
        before, after = self._free_of[node], self._left(node, has, taken)
        if before != after:
            self._count_free(has, before, -1)
            self._count_free(has, after, 1)
            self._free_of[node] = after

    def used(self, node: str) -> float:
        """The share of a node's GPUs that is allocated."""
        has = self._has.get(node, NOTHING)[0]
        return min(self._taken.get(node, NOTHING)[0] / has, 1.0) if has else 0.0

    def there(self, node: str) -> NodeState | None:
        """The node if it is Ready."""
        return self._nodes.get(node)

    def expect(self, requests: frozenset[Amounts]) -> None:
        """These different requests for GPUs are pending now."""
        if requests == self._expected:
            return
        self._expected, self._stuck = requests, {}
        self.stranded = sum(free[0] * count for free, count in self._free.items() if self._is_stuck(free))

    def _is_stuck(self, free: Amounts) -> bool:
        """Whether GPUs are free on such a node, some pod waits for GPUs, and none of those that wait fits there."""
        known = self._stuck.get(free)
        if known is None:
            waiting = self._expected
            known = free[0] > 0 and bool(waiting) and not any(fits(request, free) for request in waiting)
            self._stuck[free] = known
        return known

    def _count(self, name: str, sign: int) -> None:
        """Count a node with all that pods took of it, or no longer."""
        has = self._has.get(name)
        if has is None:
            return
        taken = self._taken.get(name, NOTHING)
        pool = self._nodes[name].pool
        self.capacity = plus(self.capacity, has, sign)
        self.allocated = plus(self.allocated, taken, sign)
        self.capacity_of[pool] = self.capacity_of.get(pool, 0.0) + sign * has[0]
        self.allocated_of[pool] = self.allocated_of.get(pool, 0.0) + sign * taken[0]
        free = self._free_of[name] = self._left(name, has, taken)
        self._count_free(has, free, sign)

    def _left(self, name: str, has: Amounts, taken: Amounts) -> Amounts:
        """What is free on a node; nothing less than nothing."""
        free = plus(has, taken, -1)
        if free[0] < 0 or free[1] < 0 or free[2] < 0:
            self.overcommitted.add(name)
            return max(free[0], 0.0), max(free[1], 0.0), max(free[2], 0.0)
        return free

    def _count_free(self, has: Amounts, free: Amounts, sign: int) -> None:
        """Count a node with this much free, or no longer."""
        counts = self._free
        counts[free] += sign
        if not counts[free]:
            del counts[free]
        if has[0]:
            self.blocks[_block(free[0])] += sign
            self.free_gpus += sign * free[0]
            if self._is_stuck(free):
                self.stranded += sign * free[0]
            self.fragmentation += sign * self._fragments(free)

    def _fragments(self, free: Amounts) -> float:
        """F_n of "Beware of Fragmentation" (USENIX ATC 2023), section 3.2, for GPUs that are not shared.

        For each request of the mix all free GPUs of the node are fragments if it does not fit, or asks for none.
        """
        known = self._unusable.get(free)
        if known is None:
            share = sum(share for request, share in self._mix.items() if request[0] <= 0 or not fits(request, free))
            known = self._unusable[free] = free[0] * share
        return known


def _block(free: float) -> str:
    if free >= _WHOLE:
        return "whole"
    if free >= _HALF:
        return "half"
    return "few" if free >= 1 else "none"
