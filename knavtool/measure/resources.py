"""Amounts of resources, and which of them are GPUs."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_GPU = re.compile(r"[^/]+/(gpu|gpus|gpu[-.].*|mig-.*)")
RESOURCES = ("gpu", "cpu", "memory")

Amounts = tuple[float, float, float]
"""(GPUs, cores, bytes)."""

NOTHING: Amounts = (0.0, 0.0, 0.0)


@cache
def is_gpu(name: str) -> bool:
    """Whether a resource counts GPUs or slices of them, whoever made them: `nvidia.com/gpu`, `amd.com/gpu`."""
    return _GPU.fullmatch(name) is not None


def amounts(given: Mapping[str, float]) -> Amounts:
    """GPUs of all kinds together, cores and bytes."""
    gpus = sum(value for name, value in given.items() if is_gpu(name))
    return float(gpus), float(given.get("cpu", 0.0)), float(given.get("memory", 0.0))


def plus(one: Amounts, other: Amounts, sign: int = 1) -> Amounts:
    """The sum, or with `sign` -1 the difference; what is left of fractions of cores is rounded off."""
    return (
        one[0] + sign * other[0],
        round(one[1] + sign * other[1], 6),
        one[2] + sign * other[2],
    )


def fits(wanted: Amounts, free: Amounts) -> bool:
    """Whether a pod finds all that it asks for."""
    return wanted[0] <= free[0] and wanted[1] <= free[1] and wanted[2] <= free[2]


def total(several: Iterable[Amounts]) -> Amounts:
    """The sum of all."""
    result = NOTHING
    for one in several:
        result = plus(result, one)
    return result
