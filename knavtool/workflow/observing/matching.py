"""Whether an expected state is part of a live object, and where it is not.

- a map: every expected key must match; other keys do not matter
- null: the key must be absent
- a list whose items all have `name`, or all have `type`: each expected item must match the live item of that key
- any other list: item by item, by position; the live list may be longer
- numbers compare by value, so 1 equals 1.0; other values must have the same type and be equal
- below keys that hold resources (limits, requests, capacity, ...) equal quantities match, so 1000m equals 1
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from knavtool.documents import quantity
from knavtool.documents.yaml import path_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_MERGE_KEYS = ("name", "type")
_QUANTITIES = frozenset(
    {
        "limits",
        "requests",
        "capacity",
        "allocatable",
        "hard",
        "used",
        "resources",
        "overhead",
        "minResources",
        "nominalQuota",
    }
)
_LONGEST = 200
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One field that is not as expected."""

    path: str
    expected: str
    actual: str

    def data(self) -> dict[str, str]:
        """For machines."""
        return {"path": self.path, "expected": self.expected, "actual": self.actual}

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, actual {self.actual}"


def mismatches(expected: Any, actual: Any) -> list[Mismatch]:
    """All differences, sorted by path; empty when `expected` is part of `actual`."""
    return sorted(_compare(expected, actual, ()), key=lambda mismatch: mismatch.path)


def _compare(expected: Any, actual: Any, path: Path) -> Iterator[Mismatch]:
    match expected:
        case None:
            if actual is not None:
                yield _mismatch(path, "absent", _shown(actual))
        case dict():
            if not isinstance(actual, dict):
                yield _mismatch(path, _shown(expected), _shown(actual))
                return
            for key, value in expected.items():
                yield from _compare(value, actual.get(key), (*path, key))
        case list():
            if not isinstance(actual, list):
                yield _mismatch(path, _shown(expected), _shown(actual))
                return
            yield from _compare_lists(expected, actual, path)
        case _:
            if not _equal(expected, actual, path):
                yield _mismatch(path, _shown(expected), _shown(actual))


def _compare_lists(expected: list[Any], actual: list[Any], path: Path) -> Iterator[Mismatch]:
    merge_key = next((key for key in _MERGE_KEYS if expected and all(_has(item, key) for item in expected)), None)
    if merge_key is None:
        for index, item in enumerate(expected):
            if index < len(actual):
                yield from _compare(item, actual[index], (*path, index))
            else:
                yield _mismatch((*path, index), _shown(item), f"absent, the list has {len(actual)} items")
        return
    for item in expected:
        value = item[merge_key]
        found = [live for live in actual if _has(live, merge_key) and live[merge_key] == value]
        place = f"{path_text(path)}[{merge_key}={value}]"
        if not found:
            present = ", ".join(str(live[merge_key]) for live in actual if _has(live, merge_key)) or "none"
            yield Mismatch(place, _shown(item), f"absent, present: {present}")
            continue
        candidates = [list(_compare(item, live, path)) for live in found]
        if all(candidates):
            for mismatch in candidates[0]:
                yield Mismatch(place + mismatch.path.removeprefix(path_text(path)), mismatch.expected, mismatch.actual)


def _has(item: Any, key: str) -> bool:
    return isinstance(item, dict) and isinstance(item.get(key), str)


def _equal(expected: Any, actual: Any, path: Path) -> bool:
    if _number(expected) and _number(actual):
        return bool(expected == actual)
    holds_quantity = any(part in _QUANTITIES for part in path[:-1])
    if holds_quantity and not isinstance(expected, bool) and isinstance(actual, (str, int, float)):
        return quantity.equal(str(expected), str(actual))
    return type(expected) is type(actual) and bool(expected == actual)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _mismatch(path: Path, expected: str, actual: str) -> Mismatch:
    return Mismatch(path_text(path) or "(the object)", expected, actual)


def _shown(value: Any) -> str:
    if value is None:
        return "absent"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
