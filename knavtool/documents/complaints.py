"""Errors of the JSON schema validator in words of the person who wrote the file."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any, TypeAlias

from knavtool.documents.quantity import suggestion

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from knavtool.documents.places import Location

Complaint: TypeAlias = "tuple[Location, str]"
"""The place and what is wrong there."""

_WORDS = {
    "object": "a map",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_LONGEST = 60


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing when no known word is near."""
    found = _near(word, known)
    return f"; did you mean {found!r}?" if found else ""


def complaints(error: Any, written: Container[Location]) -> Iterator[Complaint]:
    """What one error of the validator means; several for one that names several fields.

    `written` holds the places that the file has, also those whose value is null.
    """
    path: Location = tuple(error.absolute_path)
    match error.validator:
        case "additionalProperties":
            yield from _unknown(error, path)
        case "required":
            yield from _missing(error, path, written)
        case "oneOf" | "anyOf":
            yield from _alternatives(error, path, written)
        case "pattern" | "minLength" | "maxLength":
            # A bad key is reported at the key, not at the map that holds it.
            place = (*path, error.instance) if "propertyNames" in error.absolute_schema_path else path
            yield place, _unfit(error)
        case "not":
            yield path, f"expected {_expected(error)}"
        case _:
            yield path, _about_value(error)


def _about_value(error: Any) -> str:
    match error.validator:
        case "enum":
            allowed = [value for value in error.validator_value if isinstance(value, str)]
            if not isinstance(error.instance, str):
                return f"expected one of {', '.join(allowed)}, got {shown(error.instance)}"
            return f"{quoted(error.instance)} is not one of {', '.join(allowed)}{nearest(error.instance, allowed)}"
        case "type":
            return _wrong_type(error)
        case "minimum":
            return f"{error.instance} is out of range; expected at least {error.validator_value}"
        case "maximum":
            return f"{error.instance} is out of range; expected at most {error.validator_value}"
        case "minItems" | "minProperties":
            return "must not be empty"
        case _:
            return f"expected {_expected(error)}" if _expected(error) else str(error.message)


def _unknown(error: Any, path: Location) -> Iterator[Complaint]:
    known = error.schema.get("properties", {})
    for field in error.instance:
        if field not in known:
            listed = f"; known: {', '.join(known)}" if known else "; no field is known here"
            yield (*path, field), f"unknown field {quoted(field)}{nearest(field, known) or listed}"


def _missing(error: Any, path: Location, written: Container[Location]) -> Iterator[Complaint]:
    known = error.schema.get("properties", {})
    misspelt = {_near(field, known) for field in error.instance if field not in known}
    for field in error.validator_value:
        if field in error.instance or field in misspelt:
            continue
        if (*path, field) in written:
            yield (*path, field), f"the field {field!r} has no value"
        else:
            yield path, f"the field {field!r} is missing"


def _alternatives(error: Any, path: Location, written: Container[Location]) -> Iterator[Complaint]:
    """Of several alternatives, the complaints of the one the user meant: the one whose type fits."""
    branches: dict[int, list[Any]] = {}
    for cause in error.context:
        branches.setdefault(cause.schema_path[0], []).append(cause)
    fitting = [
        causes
        for causes in branches.values()
        if not any(cause.validator == "type" and tuple(cause.absolute_path) == path for cause in causes)
    ]
    if _expected(error) or not error.context:
        yield path, f"expected {_expected(error)}"
    elif fitting:
        for cause in fitting[0]:
            yield from complaints(cause, written)
    else:
        types = {word for cause in error.context for word in _listed(cause.validator_value)}
        yield path, f"expected {_types(types)}, got {shown(error.instance)}{_empty_text(error.instance, types)}"


def _unfit(error: Any) -> str:
    if error.validator == "minLength" and not error.instance and not _expected(error):
        return "must not be empty"
    message = f"{quoted(error.instance)} is not valid; expected {_expected(error) or error.message}"
    if "quantity" in _expected(error) and (better := suggestion(error.instance)):
        message += f"; did you mean {better}?"
    return message


def _wrong_type(error: Any) -> str:
    types = _listed(error.validator_value)
    expected = _expected(error) or _types(types)
    message = f"expected {expected}, got {shown(error.instance)}"
    given = error.instance
    if isinstance(given, str) and "string" not in types and given.strip().lstrip("+-").isdecimal():
        message += f"; write {given.strip()} without quotes"
    return message if _expected(error) else message + _empty_text(given, types)


def _empty_text(given: Any, types: Container[str]) -> str:
    return '; write "" for empty text' if given is None and "string" in types else ""


def _expected(error: Any) -> str:
    return str(error.schema.get("x-expected", ""))


def _listed(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types


def _types(types: Iterable[str]) -> str:
    if {"string", "number", "boolean"} <= set(types):
        return "text or a number"
    return " or ".join(_WORDS[word] for word in sorted(types) if word in _WORDS)


def _near(word: str, known: Iterable[str]) -> str:
    folded = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else ""


def quoted(value: Any) -> str:
    """A value in quotes, cut if it is long."""
    text = str(value)
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def shown(value: Any) -> str:
    """What a value is, and itself if it is short."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    return f"text {quoted(value)}" if isinstance(value, str) else json.dumps(value)
