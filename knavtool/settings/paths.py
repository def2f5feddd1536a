"""Paths into a configuration, as `--set` takes them: `profiles[schedulerName=default-scheduler].plugins."a.b"`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from knavtool.errors import UsageError

_KEY = re.compile(r'[^.\[\]"=\s]+')
_INDEX = re.compile(r"\[(\d+)\]")
_SELECTOR = re.compile(r'\[([A-Za-z][A-Za-z0-9_-]*)=(?:"([^"]*)"|([^\]"]*))\]')
_QUOTED = re.compile(r'"([^"]+)"')
_FORM = """keys with dots between them, [0] or [name=x] for an item of a list, quotes around a key with a dot"""


@dataclass(frozen=True, slots=True)
class Match:
    """The item of a list of maps whose `key` has this value."""

    key: str
    value: str


Path: TypeAlias = tuple["str | int | Match", ...]
"""Keys of maps and items of lists from the top of a configuration."""


def parse(text: str) -> tuple[Path, str]:
    """The path that a text begins with, and what follows; UsageError without the option that the text came from."""
    path: list[str | int | Match] = []
    at = 0
    while at < len(text) and text[at] != "=":
        if text[at] == "[":
            at = _bracket(text, at, path)
            continue
        if path and text[at] == ".":
            at += 1
        elif path:
            break
        found = _QUOTED.match(text, at) or _KEY.match(text, at)
        if found is None:
            return _no_path(text[at:])
        path.append(found[1] if found.re is _QUOTED else found[0])
        at = found.end()
    if not path or (at < len(text) and text[at] != "="):
        return _no_path(text[at:])
    return tuple(path), text[at:]


def _bracket(text: str, at: int, path: list[str | int | Match]) -> int:
    """Add the item in brackets to the path; returns where it ends."""
    if (index := _INDEX.match(text, at)) and path:
        path.append(int(index[1]))
        return index.end()
    if (selector := _SELECTOR.match(text, at)) and path:
        path.append(Match(selector[1], selector[2] if selector[2] is not None else selector[3]))
        return selector.end()
    return _no_path(text[at:])


def _no_path(rest: str) -> NoReturn:
    raise UsageError(f"not a path at {rest!r}" if rest else "the path has no end", hint=f"write {_FORM}")


def path_of(text: str) -> Path:
    """The path that is written so, whole."""
    path, rest = parse(text)
    if rest:
        _no_path(rest)
    return path


def written(path: Path) -> str:
    """A path as `parse` reads it; the same path is always written in the same way."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif isinstance(step, Match):
            quoted = f'"{step.value}"' if "]" in step.value else step.value
            text += f"[{step.key}={quoted}]"
        else:
            key = step if _KEY.fullmatch(step) else f'"{step}"'
            text += f".{key}" if text else key
    return text


def find(tree: Any, path: Path) -> Any:
    """What is at a path, None if nothing is."""
    for step in path:
        if isinstance(step, Match):
            index = _matching(tree, step) if isinstance(tree, list) else None
            tree = None if index is None else tree[index]
        elif isinstance(step, int):
            tree = tree[step] if isinstance(tree, list) and step < len(tree) else None
        else:
            tree = tree.get(step) if isinstance(tree, dict) else None
    return tree


def put(tree: Any, path: Path, value: Any, *, above: Path = ()) -> Any:
    """A copy of a tree with the value at a path; what is missing on the way is made, and None removes.

    Raises UsageError where a path goes through something that is no map or no list, or to an item that is not there.
    """
    if not path:
        return value
    step, below = path[0], path[1:]
    if isinstance(step, str):
        made = dict(_of_type(tree, dict, above, step))
        new = put(made.get(step), below, value, above=(*above, step))
        if new is None:
            made.pop(step, None)
        else:
            made[step] = new
        return made
    items = list(_of_type(tree, list, above, step))
    index = step if isinstance(step, int) else _matching(items, step)
    if isinstance(step, int) and step >= len(items):
        count = f"{len(items)} items" if len(items) != 1 else "one item"
        raise UsageError(f"{written(above)} has {count}, so there is no {written((*above, step))}")
    if index is None:
        index = len(items)
        items.append({})
    new = put(items[index], below, value, above=(*above, step))
    if new is None:
        del items[index]
        return items
    if isinstance(step, Match):
        if not isinstance(new, dict):
            raise UsageError(f"{written((*above, step))} is {_kind(new)}, expected a map")
        new = {step.key: step.value} | new
    items[index] = new
    return items


def _matching(items: list[Any], match: Match) -> int | None:
    return next(
        (number for number, item in enumerate(items) if isinstance(item, dict) and item.get(match.key) == match.value),
        None,
    )


def _of_type(tree: Any, wanted: type, above: Path, step: str | int | Match) -> Any:
    if tree is None:
        return wanted()
    if not isinstance(tree, wanted):
        where = written(above) or "the configuration"
        deeper = f"{'key' if wanted is dict else 'item'} {step if isinstance(step, str) else written((step,))}"
        raise UsageError(f"{where} is {_kind(tree)}, so it has no {deeper}")
    return tree


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    return f"the value {str(value).lower() if isinstance(value, bool) else repr(value)}"
