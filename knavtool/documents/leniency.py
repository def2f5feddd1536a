"""What Knavigator takes without a word, changed into what means the same here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.documents.duration import is_duration
from knavtool.documents.values import presets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.documents.complaints import Complaint
    from knavtool.documents.places import Location

_IGNORED = frozenset({"CheckConfigmap", "DeleteObj", "Pause", "UpdateNodes", "UpdateObj"})
"""Task types whose timeout Knavigator does not know or does not use."""
_AT_ONCE = "1ns"


def forgive(task: dict[str, Any], place: Location) -> Iterator[Complaint]:
    """Change a task that Knavigator would run; yields what was changed."""
    params = task.get("params")
    if not isinstance(params, dict):
        return
    yield from _forgive_timeout(task, params, (*place, "params", "timeout"))
    nodes = params.get("nodes")
    if task.get("type") == "Configure" and isinstance(nodes, list):
        for index, entry in enumerate(nodes):
            if isinstance(entry, dict):
                yield from _forgive_node(entry, (*place, "params", "nodes", index, "type"))


def _forgive_timeout(task: dict[str, Any], params: dict[str, Any], place: Location) -> Iterator[Complaint]:
    given = params.get("timeout")
    duration = isinstance(given, str) and is_duration(given)
    negative = isinstance(given, str) and given.startswith("-")
    type_ = task.get("type")
    if given is not None and isinstance(type_, str) and type_ in _IGNORED and (negative or not duration):
        yield place, f"{given} is no time that can be waited for; ignored"
        del params["timeout"]
    elif duration and negative:
        yield place, f"{given} is negative; read as a time that is over at once"
        params["timeout"] = _AT_ONCE


def _forgive_node(entry: dict[str, Any], place: Location) -> Iterator[Complaint]:
    type_ = entry.get("type")
    if isinstance(type_, str) and type_ not in presets() and not entry.get("resources"):
        yield place, f"{type_!r} is no preset and has no resources; its nodes take no pods"
        entry["resources"] = {"pods": "0"}
