"""What has to be known of the task types in order to read a workflow; `workflow.registry` knows the types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from knavtool.documents.schema import TASK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from knavtool.documents.complaints import Complaint
    from knavtool.documents.places import Location
    from knavtool.documents.schema import DocumentSchema

_NODES = {"$ref": "#/$defs/nodeEntry"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTypes:
    """The schema, which has a definition for each type; and what `--compat` tolerates in the parameters of each."""

    schema: DocumentSchema
    apply_compat: Mapping[str, Callable[[dict[str, Any], Location], Iterator[Complaint]]]

    def hold_tasks(self, type_: object) -> bool:
        """Whether it is the name of a type that holds tasks."""
        tasks = _definition(self.schema.shown, type_).get("properties", {}).get("tasks", {})
        return bool(tasks.get("items") == TASK)

    def need_time(self, type_: object) -> bool:
        """Whether its timeout must be given, and so be longer than zero."""
        return "timeout" in _definition(self.schema.root, type_).get("required", ())

    def node_parameters(self, type_: object) -> Iterator[str]:
        """The parameters that hold node entries, as a values file does."""
        properties = _definition(self.schema.root, type_).get("properties", {})
        return (name for name, definition in properties.items() if definition.get("items") == _NODES)


def _definition(root: dict[str, Any], type_: object) -> dict[str, Any]:
    names = root["$defs"]["task"]["properties"]["type"]["enum"]
    definition: dict[str, Any] = root["$defs"][type_] if type_ in names else {}
    return definition
