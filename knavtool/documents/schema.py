"""Checks documents against the JSON schemas in `schemas/` and says what is wrong in words of the user."""

from __future__ import annotations

import difflib
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from knavtool import resources

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from knavtool.documents.yaml import Document
    from knavtool.errors import Violation

_WORDS = {
    "object": "a map",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}


@cache
def schema(name: str) -> dict[str, Any]:
    """A schema of `schemas/`, for example `values`."""
    loaded: dict[str, Any] = json.loads(resources.schema(name).read_text(encoding="utf-8"))
    return loaded


@cache
def _validator(name: str) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema(name))


def violations(document: Document, name: str) -> list[Violation]:
    """All violations of a schema, at their places in the file."""
    return list(_described(document, _validator(name).iter_errors(document.data)))


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing when no known word is near."""
    candidates = list(known)
    folded = {candidate.lower(): candidate for candidate in candidates}
    found = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[found[0]]!r}?" if found else ""


def _described(document: Document, errors: Iterable[Any]) -> Iterator[Violation]:
    for error in errors:
        for path, message in _messages(error):
            yield document.violation(path, message)


def _messages(error: Any) -> Iterator[tuple[list[str | int], str]]:
    """(path, message) of one jsonschema error; several for one that names several fields."""
    path = list(error.absolute_path)
    match error.validator:
        case "additionalProperties":
            known = error.schema.get("properties", {})
            for field in [field for field in error.instance if field not in known]:
                yield (
                    [*path, field],
                    f"unknown field {field!r}" + (nearest(field, known) or f"; known: {', '.join(known)}"),
                )
        case "required":
            for field in error.validator_value:
                if field not in error.instance:
                    yield path, f"the field {field!r} is missing"
        case "enum":
            yield path, _enum(error)
        case "type":
            yield path, f"expected {_types(error.validator_value)}, got {_shown(error.instance)}"
        case "pattern" | "minLength" | "maxLength" if "x-expected" in error.schema:
            yield _blamed(error, path), f"{error.instance!r} is not valid; expected {error.schema['x-expected']}"
        case "minimum" | "maximum":
            bound = "at least" if error.validator == "minimum" else "at most"
            yield path, f"{error.instance} is out of range; expected {bound} {error.validator_value}"
        case "oneOf" | "anyOf":
            yield from _alternatives(error, path)
        case "propertyNames" | "minItems" | "minProperties":
            yield path, "must not be empty" if error.validator != "propertyNames" else error.message
        case _:
            yield path, error.message


def _alternatives(error: Any, path: list[str | int]) -> Iterator[tuple[list[str | int], str]]:
    """Of several alternatives, the complaints of the one the user meant: the one whose type fits."""
    if "x-expected" in error.schema:
        yield path, f"expected {error.schema['x-expected']}"
        return
    branches: dict[int, list[Any]] = {}
    for cause in error.context:
        branches.setdefault(cause.schema_path[0], []).append(cause)
    fitting = [
        causes
        for causes in branches.values()
        if not any(cause.validator == "type" and list(cause.absolute_path) == path for cause in causes)
    ]
    if fitting:
        for cause in fitting[0]:
            yield from _messages(cause)
        return
    expected = {word for cause in error.context if cause.validator == "type" for word in _listed(cause.validator_value)}
    yield path, f"expected {_types(sorted(expected))}, got {_shown(error.instance)}"


def _blamed(error: Any, path: list[str | int]) -> list[str | int]:
    """A bad key is reported at the key, not at the map that holds it."""
    inside_names = "propertyNames" in error.absolute_schema_path
    return [*path, error.instance] if inside_names else path


def _enum(error: Any) -> str:
    allowed = [value for value in error.validator_value if isinstance(value, str)]
    return f"{error.instance!r} is not one of {', '.join(allowed)}" + nearest(str(error.instance), allowed)


def _listed(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types


def _types(types: str | list[str]) -> str:
    words = [_WORDS.get(word, word) for word in _listed(types) if word != "null"]
    if {"string", "number", "boolean"} <= set(_listed(types)):
        return "text or a number"
    return " or ".join(words)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    return f"{'text ' if isinstance(value, str) else ''}{json.dumps(value)}"
