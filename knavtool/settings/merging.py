"""One configuration over another."""

from __future__ import annotations

from typing import Any

NAMES = ("name", "schedulerName")
"""The keys by which lists of maps are merged, if all items of both lists have the same one of them."""


def merged(below: Any, above: Any) -> Any:
    """Maps are merged; a list of maps that all have a name is merged by it; anything else is replaced; None removes."""
    if isinstance(above, dict):
        joined = dict(below) if isinstance(below, dict) else {}
        for key, value in above.items():
            if value is None:
                joined.pop(key, None)
            else:
                joined[key] = merged(joined.get(key), value)
        return joined
    if isinstance(below, list) and isinstance(above, list) and (name := _name(below, above)):
        return _joined(below, above, name)
    return above


def _name(below: list[Any], above: list[Any]) -> str:
    """The key that names every item of both lists, "" if none does."""
    items = [*below, *above]
    if not (below and above and all(isinstance(item, dict) for item in items)):
        return ""
    return next((name for name in NAMES if all(name in item for item in items)), "")


def _joined(below: list[Any], above: list[Any], name: str) -> list[Any]:
    """Items keep their order; what is new comes after them."""
    changes = {item[name]: item for item in above}
    old = [merged(item, changes.pop(item[name], {})) for item in below]
    return old + [merged({}, item) for item in changes.values()]
