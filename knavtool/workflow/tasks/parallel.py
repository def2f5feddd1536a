"""Parallel: tasks that start at the same time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from knavtool.workflow.task import Block

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.documents.workflow import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel(Block):
    """Each task is a branch of its own; a branch that fails lets the others end."""

    summary: ClassVar[str] = "Holds tasks that start at the same time."
    schema: ClassVar[Mapping[str, Any]] = {
        "required": ["tasks"],
        "properties": {
            "tasks": {
                "type": "array",
                "minItems": 1,
                "items": {"$ref": "#/$defs/task"},
                "description": "Tasks that start at the same time.",
            }
        },
    }
    parallel: ClassVar[bool] = True

    def branches(self) -> Iterator[tuple[str, Sequence[Entry]]]:
        for task in self.document.tasks:
            yield "", (task,)
