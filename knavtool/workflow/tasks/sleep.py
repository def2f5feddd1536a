"""Sleep: let time pass."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from knavtool.workflow.task import Outcome, Task, timeout_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.documents.workflow import TaskDocument
    from knavtool.workflow.references.scope import Scope
    from knavtool.workflow.task import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleep(Task):
    """Wait for a while; an interrupted sleep is an interrupted run."""

    seconds: float

    summary: ClassVar[str] = "Lets time pass."
    schema: ClassVar[Mapping[str, Any]] = {
        "required": ["timeout"],
        "properties": {"timeout": {"$ref": "#/$defs/duration", "description": "How long to wait."}},
    }

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        return cls(document=document, seconds=timeout_of(document) or 0.0)

    async def run(self, context: Context, scope: Scope) -> Outcome:  # noqa: ARG002 - nothing is referred to
        await asyncio.sleep(self.seconds)
        return Outcome(message=f"slept {self.seconds:g} s")
