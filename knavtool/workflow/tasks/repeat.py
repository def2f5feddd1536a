"""Repeat: tasks one after the other, several times; once makes a sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from knavtool.workflow.task import Block

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.documents.workflow import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat(Block):
    """Every round begins when the one before has ended well."""

    summary: ClassVar[str] = "Holds tasks that run one after the other, once or several times."
    schema: ClassVar[Mapping[str, Any]] = {
        "required": ["tasks"],
        "properties": {
            "count": {
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 1000,
                "description": "How many times; once if it is left out, which makes a sequence.",
            },
            "tasks": {
                "type": "array",
                "minItems": 1,
                "items": {"$ref": "#/$defs/task"},
                "description": "Tasks that run one after the other.",
            },
        },
    }

    @property
    def times(self) -> int:
        count: int = self.document.params.get("count") or 1
        return count

    def branches(self) -> Iterator[tuple[str, Sequence[Entry]]]:
        for number in range(1, self.times + 1):
            yield (f"round {number}" if self.times > 1 else ""), self.document.tasks
