"""What can be said about Go template text without running it, and Go literals for data."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ACTION = re.compile(r"\{\{-?\s*(/\*.*?\*/|(?:\"(?:\\.|[^\"\\])*\"|`[^`]*`|[^`\"])*?)\s*-?\}\}", re.DOTALL)
_TEXT = re.compile(r"\"(?:\\.|[^\"\\])*\"|`[^`]*`")
_FIELD = re.compile(r"(?<![\w$)\]])(\$)?\.([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)")
_OPTIONAL = re.compile(r"\b(or|and|not|default|coalesce|empty|hasKey|get|dig|ternary)\b")


@dataclass(frozen=True, slots=True)
class Reference:
    """A field that a template prints; `line` counts from 0."""

    field: str
    line: int


def required(text: str) -> list[Reference]:
    """Fields of the root that are printed or ranged over without a guard that says what to do when they are missing.

    A guard is an enclosing `if` or `with` on the field, or a function like `or` or `default` in the same action.
    """
    found: list[Reference] = []
    scopes: list[_Scope] = []
    for match in _ACTION.finditer(text):
        action = match[1]
        if action.startswith("/*"):
            continue
        keyword, _, rest = action.partition(" ")
        fields = _fields(rest if keyword in _BLOCKS else action, dot_is_root=not any(s.moves_dot for s in scopes))
        if keyword == "end" and scopes:
            scopes.pop()
        elif keyword == "else" and scopes:
            # What the condition asked for is known to be missing here.
            scopes[-1] = _Scope(scopes[-1].moves_dot, frozenset(_fields(rest, dot_is_root=True)))
        elif keyword in ("if", "with"):
            scopes.append(_Scope(keyword == "with", frozenset(fields)))
            continue
        if keyword == "range":
            scopes.append(_Scope(True, frozenset()))
        if keyword in ("if", "with", "else", "end") or _OPTIONAL.search(_TEXT.sub("", action)):
            continue
        guarded = frozenset().union(*(scope.guards for scope in scopes))
        line = text.count("\n", 0, match.start())
        found += [
            Reference(field, line) for field in fields if field not in guarded and field.split(".")[0] not in guarded
        ]
    return [reference for reference in found if not reference.field.startswith(("_NAME_", "_ENUM_"))]


def given(field: str, params: Mapping[str, Any]) -> bool:
    """Whether parameters hold a value for `a.b`; null counts as not given."""
    value: Any = params
    for part in field.split("."):
        if not isinstance(value, dict) or value.get(part) is None:
            return False
        value = value[part]
    return True


def only_printed(text: str, names: Sequence[str]) -> bool:
    """Whether the template does nothing with these fields but print them, so that texts can differ in them only."""
    for match in _ACTION.finditer(text):
        action = match[1]
        if not any(name in action for name in names):
            continue
        if action not in {f"{root}.{name}" for name in names for root in ("", "$")}:
            return False
        before, after = text[: match.start()][-1:], text[match.end() :][:1]
        if "_ENUM_" in action and (before.isdigit() or after.isdigit() or before in "+.-" or after == "."):
            # Joined to other digits the number could read differently, as an octal number for example.
            return before == "-" and not after.isdigit() and after != "."
    return "{{define" not in text.replace(" ", "") and "{{template" not in text.replace(" ", "")


def literal(value: Any) -> str:
    """Data as Go template source, so that an int stays an int and text stays text."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"({value})" if value < 0 else str(value)
    if isinstance(value, float):
        # A whole number written with a point is a whole number for Knavigator's templates too.
        return literal(int(value)) if value.is_integer() and abs(value) < 1e15 else f"({value!r})"
    if isinstance(value, list):
        return f"(list {' '.join(literal(item) for item in value)})"
    if isinstance(value, dict):
        return f"(dict {' '.join(f'{literal(str(key))} {literal(item)}' for key, item in value.items())})"
    return json.dumps(str(value), ensure_ascii=False)


_BLOCKS = ("if", "with", "range", "else", "end")


@dataclass(frozen=True, slots=True)
class _Scope:
    moves_dot: bool
    guards: frozenset[str]


def _fields(action: str, *, dot_is_root: bool) -> list[str]:
    return list(_root_fields(_TEXT.sub('""', action), dot_is_root=dot_is_root))


def _root_fields(action: str, *, dot_is_root: bool) -> Iterator[str]:
    for match in _FIELD.finditer(action):
        if match[1] or dot_is_root:
            yield match[2]
