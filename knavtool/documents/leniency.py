"""What Knavigator takes without a word, changed into what means the same here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.documents.duration import is_duration
from knavtool.documents.values import presets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.documents.complaints import Complaint
    from knavtool.documents.places import Location
    from knavtool.documents.task_types import TaskTypes

_AT_ONCE = "1ns"


def apply_compat(task: dict[str, Any], place: Location, types: TaskTypes) -> Iterator[Complaint]:
    """Change a task that Knavigator would run; yields what was changed."""
    params, type_ = task.get("params"), task.get("type")
    if not isinstance(params, dict):
        return
    if isinstance(type_, str) and type_ in types.apply_compat:
        yield from types.apply_compat[type_](params, (*place, "params"))
    given = params.get("timeout")
    if isinstance(given, str) and given.startswith("-") and is_duration(given):
        yield (*place, "params", "timeout"), f"{given} is negative; read as a time that is over at once"
        params["timeout"] = _AT_ONCE


def ignore_bad_timeout(params: dict[str, Any], place: Location) -> Iterator[Complaint]:
    """For task types whose timeout Knavigator does not know or does not use."""
    given = params.get("timeout")
    if given is not None and not (isinstance(given, str) and is_duration(given) and not given.startswith("-")):
        yield (*place, "timeout"), f"{given} is no time that can be waited for; ignored"
        del params["timeout"]


def apply_compat_to_nodes(entries: object, place: Location) -> Iterator[Complaint]:
    """For node entries: Knavigator makes nodes of types that it does not know."""
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        type_ = entry.get("type") if isinstance(entry, dict) else None
        if isinstance(type_, str) and type_ not in presets() and not entry.get("resources"):
            yield (*place, index, "type"), f"{type_!r} is no preset and has no resources; its nodes take no pods"
            entry["resources"] = {"pods": "0"}
