"""Pause: wait for somebody at the terminal."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from knavtool.errors import UsageError
from knavtool.workflow.task import Outcome, Task, timeout_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.workflow.references.scope import Scope
    from knavtool.workflow.task import Context

_NO_TERMINAL = "Pause waits for the Enter key, but there is no terminal; give it a timeout, or leave it out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(Task):
    """Until the Enter key is pressed, or until the timeout; without a terminal only the timeout ends it."""

    timeout: float | None

    summary: ClassVar[str] = "Waits for the Enter key."
    schema: ClassVar[Mapping[str, Any]] = {
        "type": ["object", "null"],
        "properties": {
            "timeout": {
                "$ref": "#/$defs/duration",
                "description": "How long to wait for the Enter key; where there is no terminal, how long to wait.",
            }
        },
    }
    any_timeout: ClassVar[bool] = True

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        return cls(document=document, timeout=timeout_of(document))

    def without_terminal(self) -> Iterator[Violation]:
        if self.timeout is None:
            yield self.document.violation(_NO_TERMINAL)

    async def run(self, context: Context, scope: Scope) -> Outcome:  # noqa: ARG002 - nothing is referred to
        terminal = context.terminal
        if terminal is None:
            if self.timeout is None:
                raise UsageError(f"{self.document.where()}: {_NO_TERMINAL}")
            await asyncio.sleep(self.timeout)
            return Outcome(message=f"continued after {self.timeout:g} s (no terminal)")
        wait = f", or wait {self.timeout:g} s" if self.timeout is not None else ""
        try:
            async with asyncio.timeout(self.timeout):
                await terminal.enter(lambda: context.step.note(f"press Enter to go on{wait}"))
        except TimeoutError:
            return Outcome(message=f"continued after {self.timeout:g} s")
        return Outcome(message="Enter was pressed")
