"""The values file of virtual nodes, as frozen models, and the rule for node names."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from knavtool import resources
from knavtool.documents.schema import nearest, violations
from knavtool.documents.yaml import load
from knavtool.errors import InvalidDocument

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from knavtool.documents.yaml import Document
    from knavtool.errors import Violation

_RESERVED_LABELS = {
    "kubernetes.io/hostname": "every node's own name",
    "type": "'kwok' on all virtual nodes",
    "app.kubernetes.io/managed-by": "the name of the tool that made the node",
}
_LONGEST_NAME = 253


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEntry:
    """A group of equal nodes; all texts are as Kubernetes wants them, quantities included."""

    type: str
    count: int
    name_prefix: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, str] = field(default_factory=dict)
    conditions: tuple[Mapping[str, str], ...] = ()
    taints: tuple[Mapping[str, str], ...] = ()

    @property
    def prefix(self) -> str:
        """What the names of the entry's nodes begin with."""
        return self.name_prefix or f"virtual-{self.type}"

    def values(self) -> dict[str, Any]:
        """The entry as the chart's values take it."""
        given: dict[str, Any] = {"type": self.type, "count": self.count, "namePrefix": self.name_prefix}
        for name in ("annotations", "labels", "resources"):
            given[name] = dict(getattr(self, name))
        for name in ("conditions", "taints"):
            given[name] = [dict(item) for item in getattr(self, name)]
        return {name: value for name, value in given.items() if value or name == "count"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeValues:
    """A values file that passed all checks."""

    entries: tuple[NodeEntry, ...]
    file: str


def load_values(path: Path) -> NodeValues:
    """Read and check a values file; raises InvalidDocument with everything that is wrong."""
    document = load(path)
    wrong = violations(document, "values")
    if wrong:
        raise InvalidDocument(wrong)
    entries, wrong = parse_entries(document, ("nodes",), document.data.get("nodes"))
    if wrong:
        raise InvalidDocument(wrong)
    return NodeValues(entries=tuple(entries), file=str(path))


def parse_entries(
    document: Document, path: tuple[str | int, ...], nodes: Any
) -> tuple[list[NodeEntry], list[Violation]]:
    """Entries from data that the schema has passed, and what a schema cannot see."""
    entries: list[NodeEntry] = []
    wrong: list[Violation] = []
    for index, item in enumerate(nodes or ()):
        place = (*path, index)
        entry = _entry(item)
        entries.append(entry)
        wrong += _check(document, place, entry)
    return entries, wrong + _duplicates(document, path, entries)


@cache
def presets() -> tuple[str, ...]:
    """The node types whose resources the chart knows."""
    return tuple(load(resources.chart("virtual-nodes") / "presets.yaml").data)


def node_names(entries: Sequence[NodeEntry]) -> list[list[str]]:
    """The names of each entry's nodes: prefix-0, prefix-1, ...; n counts on over entries of one type and prefix."""
    counters: dict[tuple[str, str], int] = {}
    names: list[list[str]] = []
    for entry in entries:
        key = (entry.type, entry.prefix)
        first = counters.get(key, 0)
        counters[key] = first + entry.count
        names.append([f"{entry.prefix}-{number}" for number in range(first, first + entry.count)])
    return names


def _entry(item: Mapping[str, Any]) -> NodeEntry:
    return NodeEntry(
        type=item["type"],
        count=item["count"],
        name_prefix=item.get("namePrefix") or "",
        annotations=_texts(item.get("annotations")),
        labels=_texts(item.get("labels")),
        resources=_texts(item.get("resources")),
        conditions=tuple(_condition(condition) for condition in item.get("conditions") or ()),
        taints=tuple(_texts(taint) for taint in item.get("taints") or ()),
    )


def _texts(given: Mapping[str, Any] | None) -> dict[str, str]:
    return {key: text(value) for key, value in (given or {}).items()}


def text(value: Any) -> str:
    """A YAML scalar as the text Kubernetes wants: `true`, `8`, `1.5`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _condition(given: Mapping[str, Any]) -> dict[str, str]:
    condition = _texts(given)
    condition["status"] = condition["status"].capitalize()
    return condition


def _check(document: Document, place: tuple[str | int, ...], entry: NodeEntry) -> list[Violation]:
    wrong: list[Violation] = []
    longest = f"{entry.prefix}-{max(entry.count - 1, 0)}"
    if len(longest) > _LONGEST_NAME:
        message = f"the node name {longest[:40]}… has {len(longest)} characters; expected at most {_LONGEST_NAME}"
        wrong.append(document.violation((*place, "namePrefix" if entry.name_prefix else "type"), message))
    if not entry.resources and entry.type not in presets():
        message = (
            f"{entry.type!r} is no preset, so it needs resources (cpu, memory, pods, ...)"
            f"{nearest(entry.type, presets())}; presets: {', '.join(presets())}"
        )
        wrong.append(document.violation((*place, "type"), message))
    for label, what in _RESERVED_LABELS.items():
        if label in entry.labels:
            message = f"the label {label} is set by the tool to {what}; leave it out"
            wrong.append(document.violation((*place, "labels", label), message))
    for field_name, keys in (
        ("conditions", [condition["type"] for condition in entry.conditions]),
        ("taints", [f"{taint['key']}:{taint['effect']}" for taint in entry.taints]),
    ):
        for number, key in enumerate(keys):
            if key in keys[:number]:
                wrong.append(document.violation((*place, field_name, number), f"{key} is given twice"))
    return wrong


def _duplicates(document: Document, path: tuple[str | int, ...], entries: Sequence[NodeEntry]) -> list[Violation]:
    """Two types that share a prefix would give two nodes one name."""
    seen: dict[str, int] = {}
    wrong: list[Violation] = []
    for index, names in enumerate(node_names(entries)):
        twice = next((name for name in names if name in seen), None)
        if twice is not None:
            message = f"entry {seen[twice]} gives the node name {twice} too; give one of them another namePrefix"
            wrong.append(document.violation((*path, index), message))
        for name in names:
            seen.setdefault(name, index)
    return wrong
