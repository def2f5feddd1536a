"""The values file of virtual nodes, as frozen models, and the rule for node names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from knavtool import resources
from knavtool.documents.devices import class_faults
from knavtool.documents.entries import Devices, NodeEntry
from knavtool.documents.entry_rules import entry_faults, name_faults
from knavtool.documents.places import path_text
from knavtool.documents.scalars import text
from knavtool.documents.schema import normalized, violations
from knavtool.documents.yaml import load, load_rendered
from knavtool.errors import InvalidDocument

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from knavtool.documents.places import Location
    from knavtool.documents.yaml import Document
    from knavtool.errors import Violation

__all__ = ["NodeValues", "load_values", "node_names", "parse_entries", "parse_values", "presets", "text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeValues:
    """A values file that passed all checks."""

    entries: tuple[NodeEntry, ...]
    file: str


def load_values(path: Path) -> NodeValues:
    """Read and check a values file; raises InvalidDocument with everything that is wrong."""
    return parse_values(load(path))


def parse_values(document: Document) -> NodeValues:
    """Check a document; raises InvalidDocument with everything that is wrong."""
    document = normalized(document, "values")
    wrong = violations(document, "values")
    entries, more = parse_entries(document, ("nodes",), rejected=wrong)
    if wrong or more:
        raise InvalidDocument([*wrong, *more])
    return NodeValues(entries=tuple(entries), file=document.file)


def parse_entries(
    document: Document, path: Location, nodes: Any = None, *, rejected: Iterable[Violation] = ()
) -> tuple[list[NodeEntry], list[Violation]]:
    """The entries of a normalized document, and what a schema cannot see.

    `nodes` is what stands at `path` in the document. Entries about which the schema complained, in `rejected`, are
    left out.
    """
    given = nodes if nodes is not None else _at(document.data, path)
    if not isinstance(given, list):
        return [], []
    complained = [violation.path for violation in rejected]
    places: list[Location] = []
    entries: list[NodeEntry] = []
    for index, item in enumerate(given):
        place = (*path, index)
        if not any(_within(inner, path_text(place)) for inner in complained):
            places.append(place)
            entries.append(_entry(item))
    placed = list(zip(places, entries, strict=True))
    faults = [fault for place, entry in placed for fault in entry_faults(place, entry, presets())]
    faults += [*name_faults(placed), *class_faults(placed)]
    return entries, [document.violation(place, message) for place, message in faults]


@cache
def presets() -> tuple[str, ...]:
    """The node types whose resources the chart knows."""
    known = load_rendered((resources.chart("virtual-nodes") / "presets.yaml").read_text(encoding="utf-8"))
    return tuple(known[0])


def node_names(entries: Sequence[NodeEntry]) -> list[list[str]]:
    """The names of each entry's nodes: prefix-0, prefix-1, ...; n counts on over the entries of one prefix."""
    counters: dict[str, int] = {}
    names: list[list[str]] = []
    for entry in entries:
        first = counters.get(entry.prefix, 0)
        counters[entry.prefix] = first + entry.count
        names.append([f"{entry.prefix}-{number}" for number in range(first, first + entry.count)])
    return names


def _at(data: Any, path: Location) -> Any:
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        else:
            data = data[part] if isinstance(data, list) and isinstance(part, int) else None
    return data


def _within(path: str, place: str) -> bool:
    return path == place or path.startswith((f"{place}.", f"{place}["))


def _entry(item: Mapping[str, Any]) -> NodeEntry:
    resources = dict(item.get("resources", {}))
    devices = resources.pop("dra", None)
    return NodeEntry(
        type=item["type"],
        count=item["count"],
        name_prefix=item.get("namePrefix", ""),
        annotations=item.get("annotations", {}),
        labels=item.get("labels", {}),
        resources=resources,
        devices=Devices.parse(devices) if devices is not None else None,
        conditions=tuple(
            {**given, "status": text(given["status"]).capitalize()} for given in item.get("conditions", ())
        ),
        taints=tuple(item.get("taints", ())),
    )
