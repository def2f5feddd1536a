"""Documents in the form the schema means: null is unset, a scalar is text where text is wanted.

The schema says where: `x-text` marks text that may be written as a bare scalar (`podCount: 1`, a label `true`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from knavtool.documents.scalars import text

if TYPE_CHECKING:
    from knavtool.documents.complaints import Complaint
    from knavtool.documents.places import Location

Schema: TypeAlias = dict[str, Any]


def normal(
    value: Any, schema: Schema, root: Schema, *, at: Location = (), tolerated: list[Complaint] | None = None
) -> Any:
    """`value` in normal form; what does not fit the schema stays as it is, for the validator to complain about.

    With `tolerated`, null where there must be text is empty text, and a fraction where there must be a whole number is
    cut off, as Go does it; what was tolerated is added to the list. `at` is the place of the value.
    """
    return _Reading(root, tolerated).value(value, _resolved(schema, root), at)


def _resolved(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        definition: Schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
        schema = definition
    return schema


class _Reading:
    """One value below one root; see `normal`."""

    def __init__(self, root: Schema, tolerated: list[Complaint] | None) -> None:
        self._root = root
        self._tolerated = tolerated

    def value(self, value: Any, schema: Schema, at: Location) -> Any:
        schema = _resolved(schema, self._root)
        if isinstance(value, dict):
            return self._map(value, schema, at)
        if isinstance(value, list):
            return self._list(value, schema, at)
        types = schema.get("type", ())
        if schema.get("x-text"):
            if value is None and "null" not in types and not self._tolerates(at, "has no value; read as empty text"):
                return value
            return text(value)
        if "integer" in types and isinstance(value, float):
            whole = int(value)
            if value == whole or self._tolerates(at, f"{value} is no whole number; read as {whole}"):
                return whole
        return value

    def _tolerates(self, at: Location, message: str) -> bool:
        if self._tolerated is None:
            return False
        self._tolerated.append((at, message))
        return True

    def _map(self, value: dict[str, Any], schema: Schema, at: Location) -> dict[str, Any]:
        properties: Schema = schema.get("properties", {})
        others = schema.get("additionalProperties")
        result: dict[str, Any] = {}
        for key, inner in value.items():
            if key in properties:
                if inner is not None:
                    result[key] = self.value(inner, properties[key], (*at, key))
            else:
                result[key] = self.value(inner, others, (*at, key)) if isinstance(others, dict) else inner
        for clause in schema.get("allOf", ()):
            # A task's type decides what its params are.
            wanted = clause.get("if", {}).get("properties", {}).get("type", {}).get("const")
            if wanted is not None and result.get("type") == wanted:
                return self._map(result, clause["then"], at)
        return result

    def _list(self, value: list[Any], schema: Schema, at: Location) -> list[Any]:
        branches = [_resolved(branch, self._root) for branch in (schema, *schema.get("oneOf", ()))]
        items = next((branch["items"] for branch in branches if "items" in branch), None)
        if items is None:
            return value
        return [self.value(item, items, (*at, index)) for index, item in enumerate(value)]
