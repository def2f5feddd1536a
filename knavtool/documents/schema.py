"""Checks documents against the JSON schemas in `schemas/`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from knavtool import resources
from knavtool.documents.complaints import complaints, nearest
from knavtool.documents.normal import normal

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from knavtool.documents.complaints import Complaint
    from knavtool.documents.places import Location
    from knavtool.documents.yaml import Document
    from knavtool.errors import Violation

__all__ = ["Found", "checked", "find", "nearest", "normalized", "schema", "violations"]

_VARIABLE = {"$ref": "#/$defs/variable"}
_TASK = {"$ref": "#/$defs/task"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is wrong with a document; `unknown` are fields that nothing reads, and if it `fits`, they are all."""

    wrong: list[Violation]
    unknown: list[Violation]
    fits: bool


@cache
def schema(name: str) -> dict[str, Any]:
    """A schema of `schemas/`, for example `values`."""
    loaded: dict[str, Any] = json.loads(resources.schema(name).read_text(encoding="utf-8"))
    return loaded


@cache
def checked(name: str) -> dict[str, Any]:
    """The schema as documents are checked against it.

    Editors see a document before its variables have values and check it as a whole. Here variables have values, so
    they are no alternative to them, and tasks inside tasks are checked one by one, because each may be written once
    and stand for many.
    """
    plain: dict[str, Any] = _without_variables(schema(name))
    for definition in (plain, *plain.get("$defs", {}).values()):
        tasks = definition.get("properties", {}).get("tasks")
        if tasks is not None and tasks.get("items") == _TASK:
            tasks["items"] = {}
    return plain


def _without_variables(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_variables(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _without_variables(value) for key, value in node.items()}
    match plain.get("anyOf"):
        case [alternative, last] if last == _VARIABLE:
            del plain["anyOf"]
            return {**alternative, **plain}
    return plain


def normalized(document: Document, name: str) -> Document:
    """The document with nulls dropped and scalars as text where the schema wants text."""
    root = checked(name)
    return replace(document, data=normal(document.data, root, root))


def violations(document: Document, name: str) -> list[Violation]:
    """All violations of a schema, at their places in the file."""
    found = find(document, name, document.data)
    return sorted([*found.wrong, *found.unknown])


def find(document: Document, name: str, data: Any, *, part: str = "", at: Location = ()) -> Found:
    """All violations of a schema, or of its definition `part`, by `data` that stands `at` a place of the document."""
    written = _Below(document.positions, at)
    unknown: dict[Complaint, None] = {}
    wrong: dict[Complaint, None] = {}
    fits = True
    for error in _validator(name, part).iter_errors(data):
        ignorable = error.validator == "additionalProperties"
        fits = fits and ignorable
        (unknown if ignorable else wrong).update(dict.fromkeys(complaints(error, written)))
    return Found(
        wrong=sorted(document.violation((*at, *path), message) for path, message in wrong),
        unknown=sorted(document.violation((*at, *path), message) for path, message in unknown),
        fits=fits,
    )


class _Below:
    """The places of a document below one of them."""

    def __init__(self, places: Container[Location], at: Location) -> None:
        self._places = places
        self._at = at

    def __contains__(self, path: object) -> bool:
        return isinstance(path, tuple) and (*self._at, *path) in self._places


@cache
def _validator(name: str, part: str) -> Any:
    from jsonschema import Draft202012Validator, validators

    strict: Any = validators.extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
    root = checked(name)
    return strict({"$ref": f"#/$defs/{part}", "$defs": root["$defs"]} if part else root)


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[Any]:
    """Like the original, but `$` is the end of the text and not also the place before a final newline."""
    from jsonschema import ValidationError

    if isinstance(instance, str) and not _compiled(pattern).search(instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"(?<!\\)\$$", r"\\Z", pattern))
