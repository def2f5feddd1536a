"""Checks documents against JSON schemas."""

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

__all__ = [
    "TASK",
    "THRESHOLD",
    "VARIABLE",
    "DocumentSchema",
    "Found",
    "checked",
    "nearest",
    "normalized",
    "schema",
    "shipped",
    "violations",
]

VARIABLE = {"$ref": "#/$defs/variable"}
TASK = {"$ref": "#/$defs/task"}
THRESHOLD = "CheckMeasure"
"""The definition of what an item of `thresholds` is, which is what that task takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is wrong with a document; `unknown` are fields that nothing reads, and if it `fits`, they are all."""

    wrong: list[Violation]
    unknown: list[Violation]
    fits: bool


class DocumentSchema:
    """A schema, as editors are `shown` it, and the `root` of what documents are checked against.

    Editors see a document before its variables have values and check it as a whole. Here variables have values, so
    they are no alternative to them, and tasks inside tasks are checked one by one, because each may be written once
    and stand for many.
    """

    def __init__(self, shown: dict[str, Any]) -> None:
        self.shown = shown
        self.root: dict[str, Any] = _without_variables(shown)
        for definition in (self.root, *self.root.get("$defs", {}).values()):
            tasks = definition.get("properties", {}).get("tasks")
            if tasks is not None and tasks.get("items") == TASK:
                tasks["items"] = {}
        if (thresholds := self.root.get("properties", {}).get("thresholds")) is not None:
            thresholds["items"] = {}
        self._validators: dict[str, Any] = {}

    def normalized(self, document: Document) -> Document:
        """The document with nulls dropped and scalars as text where the schema wants text."""
        return replace(document, data=normal(document.data, self.root, self.root))

    def find(self, document: Document, data: Any, *, part: str = "", at: Location = ()) -> Found:
        """All violations of it, or of what is at `part` of its definitions, by `data` that stands `at` a place."""
        written = _Below(document.positions, at)
        unknown: dict[Complaint, None] = {}
        wrong: dict[Complaint, None] = {}
        fits = True
        for error in self._validator(part).iter_errors(data):
            ignorable = error.validator == "additionalProperties"
            fits = fits and ignorable
            (unknown if ignorable else wrong).update(dict.fromkeys(complaints(error, written)))
        return Found(
            wrong=sorted(document.violation((*at, *path), message) for path, message in wrong),
            unknown=sorted(document.violation((*at, *path), message) for path, message in unknown),
            fits=fits,
        )

    def _validator(self, part: str) -> Any:
        if part not in self._validators:
            from jsonschema import Draft202012Validator, validators

            strict: Any = validators.extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
            root = self.root
            self._validators[part] = strict({"$ref": f"#/$defs/{part}", "$defs": root["$defs"]} if part else root)
        return self._validators[part]


@cache
def shipped(name: str) -> DocumentSchema:
    """A schema of `schemas/`, for example `values`."""
    return DocumentSchema(json.loads(resources.schema(name).read_text(encoding="utf-8")))


def schema(name: str) -> dict[str, Any]:
    """A shipped schema as editors see it."""
    return shipped(name).shown


def checked(name: str) -> dict[str, Any]:
    """A shipped schema as documents are checked against it."""
    return shipped(name).root


def _without_variables(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_variables(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _without_variables(value) for key, value in node.items()}
    match plain.get("anyOf"):
        case [alternative, last] if last == VARIABLE:
            del plain["anyOf"]
            return {**alternative, **plain}
    return plain


def normalized(document: Document, name: str) -> Document:
    """The document in the normal form of a shipped schema."""
    return shipped(name).normalized(document)


def violations(document: Document, name: str) -> list[Violation]:
    """All violations of a shipped schema, at their places in the file."""
    found = shipped(name).find(document, document.data)
    return sorted([*found.wrong, *found.unknown])


class _Below:
    """The places of a document below one of them."""

    def __init__(self, places: Container[Location], at: Location) -> None:
        self._places = places
        self._at = at

    def __contains__(self, path: object) -> bool:
        return isinstance(path, tuple) and (*self._at, *path) in self._places


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[Any]:
    """Like the original, but `$` is the end of the text and not also the place before a final newline."""
    from jsonschema import ValidationError

    if isinstance(instance, str) and not _compiled(pattern).search(instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"(?<!\\)\$$", r"\\Z", pattern))
