"""The task types that can be used, and the schema of workflows that is merged from theirs.

`python -m knavtool.workflow.registry` writes the schema that ships.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knavtool.documents.schema import TASK, VARIABLE, DocumentSchema
from knavtool.documents.task_types import TaskTypes
from knavtool.workflow.task import Block, Task
from knavtool.workflow.tasks import TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.workflow.task import TaskType

_ENVELOPE = Path(__file__).parents[1] / "documents" / "workflow.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """The task types by their names, and what the reader of workflows has to know of them."""

    tasks: Mapping[str, type[Task]]
    blocks: Mapping[str, type[Block]]
    documents: TaskTypes

    @classmethod
    def of(cls, types: Mapping[str, type[TaskType]]) -> Registry:
        """The registry of these types."""
        return cls(
            tasks={name: type_ for name, type_ in types.items() if issubclass(type_, Task)},
            blocks={name: type_ for name, type_ in types.items() if issubclass(type_, Block)},
            documents=TaskTypes(
                schema=DocumentSchema(merged(types)),
                apply_compat={name: type_.apply_compat for name, type_ in types.items()},
            ),
        )


@cache
def built_in() -> Registry:
    """The types of knavtool itself."""
    return Registry.of(TYPES)


def merged(types: Mapping[str, type[TaskType]]) -> dict[str, Any]:
    """The schema of workflows, for editors: the envelope, and a definition of the parameters of each type."""
    root: dict[str, Any] = json.loads(_ENVELOPE.read_text(encoding="utf-8"))
    shared = dict(root["$defs"])
    task = root["$defs"]["task"]
    type_field = task["properties"]["type"]
    type_field["enum"] = list(types)
    type_field["enumDescriptions"] = [type_.summary for type_ in types.values()]
    task["allOf"] = [_condition(name, type_) for name, type_ in types.items()]
    for name, type_ in types.items():
        own = {"title": name, "description": type_.summary, "type": "object", **type_.schema}
        root["$defs"][name] = _with_variables(own, shared) | {"additionalProperties": False}
    return root


def schema_text(registry: Registry) -> str:
    """The schema of workflows as a file."""
    return json.dumps(registry.documents.schema.shown, indent=2) + "\n"


def _condition(name: str, type_: type[TaskType]) -> dict[str, Any]:
    """What a task of that type has to have; params may be left out where nothing may stand in their place."""
    then: dict[str, Any] = {"properties": {"params": {"$ref": f"#/$defs/{name}"}}}
    if "null" not in type_.schema.get("type", ()):
        then["required"] = ["params"]
    return {"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": then}


def _with_variables(schema: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """A schema whose fields, and those of its lists, may all be variables."""
    result = dict(schema)
    if "properties" in schema:
        result["properties"] = {name: _or_variable(field, shared) for name, field in schema["properties"].items()}
    if "items" in schema:
        result["items"] = _with_variables(schema["items"], shared)
    return result


def _or_variable(field: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a field, or a variable; text may be one anyway, and the tasks of a block may not."""
    if _is_any_text(field, shared) or field.get("items") == TASK:
        return dict(field)
    value = _with_variables(field, shared)
    description = {"description": value.pop("description")} if "description" in value else {}
    return {"anyOf": [value, VARIABLE], **description}


def _is_any_text(field: Mapping[str, Any], shared: Mapping[str, Any]) -> bool:
    while "$ref" in field:
        field = shared[field["$ref"].rpartition("/")[2]]
    return bool(field.get("x-text")) and "pattern" not in field
