"""The facts of a recording."""

from __future__ import annotations

import gzip
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from knavtool import resources

if TYPE_CHECKING:
    from pathlib import Path


@cache
def schema() -> Any:
    """What each fact has to fit."""
    return Draft202012Validator(json.loads(resources.schema("recording").read_text()))


def facts_of(path: Path) -> list[dict[str, Any]]:
    """All facts of a file, each of which fits the schema."""
    found = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    for fact in found:
        schema().validate(fact)
    return found
