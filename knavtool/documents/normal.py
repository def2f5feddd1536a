"""Documents in the form the schema means: null is unset, a scalar is text where text is wanted.

The schema says where: `x-text` marks text that may be written as a bare scalar (`podCount: 1`, a label `true`).
"""

from __future__ import annotations

from typing import Any, TypeAlias

from knavtool.documents.scalars import text

Schema: TypeAlias = dict[str, Any]


def normal(value: Any, schema: Schema, root: Schema) -> Any:
    """`value` in normal form; what does not fit the schema stays as it is, for the validator to complain about."""
    schema = _resolved(schema, root)
    if isinstance(value, dict):
        return _map(value, schema, root)
    if isinstance(value, list):
        return _list(value, schema, root)
    types = schema.get("type", ())
    if schema.get("x-text"):
        return text(value) if value is not None or "null" in types else value
    if "integer" in types and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _resolved(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        definition: Schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
        schema = definition
    return schema


def _map(value: dict[str, Any], schema: Schema, root: Schema) -> dict[str, Any]:
    properties: Schema = schema.get("properties", {})
    others = schema.get("additionalProperties")
    result: dict[str, Any] = {}
    for key, inner in value.items():
        if key in properties:
            if inner is not None:
                result[key] = normal(inner, properties[key], root)
        else:
            result[key] = normal(inner, others, root) if isinstance(others, dict) else inner
    for clause in schema.get("allOf", ()):
        # A task's type decides what its params are.
        wanted = clause.get("if", {}).get("properties", {}).get("type", {}).get("const")
        if wanted is not None and result.get("type") == wanted:
            return _map(result, clause["then"], root)
    return result


def _list(value: list[Any], schema: Schema, root: Schema) -> list[Any]:
    branches = [_resolved(branch, root) for branch in (schema, *schema.get("oneOf", ()))]
    items = next((branch["items"] for branch in branches if "items" in branch), None)
    return [normal(item, items, root) for item in value] if items is not None else value
