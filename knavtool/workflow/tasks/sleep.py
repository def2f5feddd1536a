"""Sleep: let time pass."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from knavtool.workflow.task import NOTHING, Outcome, timeout_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.helm import Helm
    from knavtool.workflow.references.scope import Scope
    from knavtool.workflow.task import Context, Rendering


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleep:
    """Wait for a while; an interrupted sleep is an interrupted run."""

    document: TaskDocument
    seconds: float

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        return cls(document=document, seconds=timeout_of(document) or 0.0)

    def check(self, scope: Scope) -> Iterator[Violation]:  # noqa: ARG002 - nothing is referred to
        return iter(())

    async def render(self, scope: Scope, helm: Helm) -> Rendering:  # noqa: ARG002 - nothing is sent
        return NOTHING

    async def run(self, context: Context, scope: Scope) -> Outcome:  # noqa: ARG002 - see above
        await asyncio.sleep(self.seconds)
        return Outcome(message=f"slept {self.seconds:g} s")
