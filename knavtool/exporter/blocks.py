"""Free GPUs: the nodes that have them, and those that no pending pod can use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.measure.resources import fits, plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from knavtool.measure.resources import Amounts

BLOCKS = {"8+": 8, "4-7": 4, "1-3": 1, "0": 0}
"""The least number of free GPUs of a node by the name of its block, the largest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """All GPUs of Ready nodes, those of them that are free, and those that are stranded; `nodes` by block."""

    allocatable: float = 0
    free: float = 0
    stranded: float = 0
    nodes: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(BLOCKS, 0))


def blocks(nodes: Iterable[tuple[Amounts, Amounts]], pending: Iterable[Amounts]) -> Blocks:
    """From (allocatable, used) of each node and what pending pods ask for; nodes without GPUs do not count.

    Free GPUs are stranded where no pending pod fits, while pods that ask for GPUs are pending. Costs microseconds per
    node, and per pending pods of another size.
    """
    smallest = _smallest(amounts for amounts in pending if amounts[0] > 0)
    allocatable = free_gpus = stranded = 0.0
    counts = dict.fromkeys(BLOCKS, 0)
    for whole, used in nodes:
        if whole[0] <= 0:
            continue
        free = plus(whole, used, -1)
        gpus = max(free[0], 0.0)
        allocatable += whole[0]
        free_gpus += gpus
        counts[next(name for name, least in BLOCKS.items() if gpus >= least)] += 1
        if gpus and smallest and not any(fits(wanted, free) for wanted in smallest):
            stranded += gpus
    return Blocks(allocatable=allocatable, free=free_gpus, stranded=stranded, nodes=counts)


def _smallest(several: Iterable[Amounts]) -> list[Amounts]:
    """Those than which no other asks for less of everything: where one of the rest fits, one of these does too."""
    kept: list[Amounts] = []
    for wanted in sorted(set(several)):
        if not any(fits(other, wanted) for other in kept):
            kept.append(wanted)
    return kept
