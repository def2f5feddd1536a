"""Checks documents against the JSON schemas in `schemas/`."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from knavtool import resources
from knavtool.documents.complaints import complaints, nearest
from knavtool.documents.normal import normal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.documents.yaml import Document
    from knavtool.errors import Violation

__all__ = ["nearest", "normalized", "schema", "violations"]


@cache
def schema(name: str) -> dict[str, Any]:
    """A schema of `schemas/`, for example `values`."""
    loaded: dict[str, Any] = json.loads(resources.schema(name).read_text(encoding="utf-8"))
    return loaded


def normalized(document: Document, name: str) -> Document:
    """The document with nulls dropped and scalars as text where the schema wants text."""
    root = schema(name)
    return replace(document, data=normal(document.data, root, root))


def violations(document: Document, name: str) -> list[Violation]:
    """All violations of a schema, at their places in the file."""
    errors = _validator(name).iter_errors(document.data)
    found = {complaint: None for error in errors for complaint in complaints(error, document.positions)}
    return sorted(document.violation(path, message) for path, message in found)


@cache
def _validator(name: str) -> Any:
    from jsonschema import Draft202012Validator, validators

    strict: Any = validators.extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
    return strict(schema(name))


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[Any]:
    """Like the original, but `$` is the end of the text and not also the place before a final newline."""
    from jsonschema import ValidationError

    if isinstance(instance, str) and not _compiled(pattern).search(instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"(?<!\\)\$$", r"\\Z", pattern))
