"""Quantities of Kubernetes as numbers."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from knavtool.documents import quantity

if TYPE_CHECKING:
    from collections.abc import Mapping


@lru_cache(maxsize=4096)
def number(text: str) -> float:
    """Cores, bytes or devices; 0 for what is no quantity."""
    try:
        exact = quantity.parse(text)
    except ValueError:
        return 0.0
    return int(exact) if exact.denominator == 1 else float(exact)


def numbers(given: Mapping[str, Any] | None) -> dict[str, float]:
    """The amounts of a map of quantities."""
    return {name: number(str(text)) for name, text in (given or {}).items()}


def requests(spec: Mapping[str, Any]) -> dict[str, float]:
    """What the scheduler counts for a pod: the sum of its containers, or the largest init container if that is more."""
    total: dict[str, float] = {}
    for container in spec.get("containers", ()):
        for name, amount in _amounts(container).items():
            total[name] = total.get(name, 0) + amount
    for container in spec.get("initContainers", ()):
        for name, amount in _amounts(container).items():
            total[name] = max(total.get(name, 0), amount)
    return total


def _amounts(container: Mapping[str, Any]) -> dict[str, float]:
    resources = container.get("resources") or {}
    # A request that is not given is the limit.
    return numbers({**(resources.get("limits") or {}), **(resources.get("requests") or {})})
