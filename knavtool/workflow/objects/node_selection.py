"""Nodes chosen by their labels, and why none was."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.documents.schema import nearest
from knavtool.nodes.ownership import owner_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.kube.resource import Manifest

_SHOWN = 5


@dataclass(slots=True, kw_only=True)
class NodeSelection:
    """Folds nodes one by one: all labels of one selector have to be there; only nodes of ours unless `all_nodes`."""

    selectors: Sequence[Mapping[str, str]]
    all_nodes: bool
    eligible: int = 0
    foreign: int = 0
    _values: dict[str, Counter[str]] = field(default_factory=dict)

    def takes(self, node: Manifest) -> bool:
        """Whether the node is chosen."""
        labels: Mapping[str, str] = node["metadata"].get("labels") or {}
        fits = any(selector.items() <= labels.items() for selector in self.selectors)
        if not self.all_nodes and not owner_of(node).ours:
            self.foreign += fits
            return False
        self.eligible += 1
        for key, value in labels.items():
            self._values.setdefault(key, Counter())[value] += 1
        return fits

    def complaint(self) -> str:
        """Why no node was chosen: how many there are, and the labels that come near."""
        whose = "" if self.all_nodes else " that this tool made"
        if not self.eligible:
            return f"there are no nodes{whose}"
        lines = [f"none of the {self.eligible} nodes{whose} has the labels"]
        for selector in self.selectors:
            lines.append(f"  {', '.join(f'{key}={value}' for key, value in selector.items())}")
            lines += [f"    {line}" for line in self._near(selector)]
        return "\n".join(lines)

    def _near(self, selector: Mapping[str, str]) -> Iterator[str]:
        alone = True
        for key, value in selector.items():
            there = self._values.get(key)
            if there is None:
                yield f"no node has the label {key}{nearest(key, self._values)}"
                alone = False
            elif value not in there:
                some = ", ".join(f"{other} ({count})" for other, count in there.most_common(_SHOWN))
                yield f"{key} is {some}{', …' if len(there) > _SHOWN else ''}"
                alone = False
        if alone:
            counts = ", ".join(f"{key}={value} ({self._values[key][value]})" for key, value in selector.items())
            yield f"there are nodes with each of them, but none with all: {counts}"
