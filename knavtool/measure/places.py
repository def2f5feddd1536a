"""What a node's labels and name say of the pool and rack that it is in."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_POOL_LABELS = ("cloud.google.com/gke-nodepool", "eks.amazonaws.com/nodegroup", "node.kubernetes.io/instance-type")
_NUMBERED = re.compile(r"(?:virtual-)?(.+?)-?[0-9]+")
_RACK_LABELS = (
    "topology.kubernetes.io/rack",
    "network.topology.nvidia.com/accelerator",
    "network.topology.nvidia.com/leaf",
    "network.topology.nvidia.com/block",
    "topology.kubernetes.io/zone",
)


def pool_and_rack(name: str, labels: Mapping[str, str]) -> tuple[str, str]:
    """The pool is a label of the cluster's provider, or what names of nodes have in common; the rack may be empty."""
    return _first(labels, _POOL_LABELS) or _without_number(name), _first(labels, _RACK_LABELS)


def _first(labels: Mapping[str, str], names: tuple[str, ...]) -> str:
    return sys.intern(next((labels[name] for name in names if labels.get(name)), ""))


def _without_number(name: str) -> str:
    """What nodes of one kind have in common: `virtual-dgxa100.80g-7` is one of `dgxa100.80g`."""
    found = _NUMBERED.fullmatch(name)
    return sys.intern(found[1] if found else name)
