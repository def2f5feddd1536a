"""Renders all a plan will send before anything is sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from knavtool.errors import InvalidDocument
from knavtool.workflow.preflight.objects import PlannedObjects
from knavtool.workflow.rendered import RenderedPlan

if TYPE_CHECKING:
    from knavtool.errors import Violation
    from knavtool.helm import Helm
    from knavtool.workflow.plan import Plan, PlannedTask
    from knavtool.workflow.task import Rendering

_AT_ONCE = 4
"""Helm processes that run at the same time; each needs a core for a tenth of a second."""


async def render(plan: Plan, helm: Helm) -> RenderedPlan:
    """Render every task; raises InvalidDocument with all that turned out wrong, or the first RenderError."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(planned: PlannedTask) -> Rendering:
        async with limit:
            return await planned.task.render(planned.scope, helm)

    tasks = list(plan.tasks())
    answers = await asyncio.gather(*(one(task) for task in tasks), return_exceptions=True)
    wrong: list[Violation] = [
        violation for answer in answers if isinstance(answer, InvalidDocument) for violation in answer.violations
    ]
    if wrong:
        raise InvalidDocument(wrong)
    renderings: dict[int, Rendering] = {}
    for planned, answer in zip(tasks, answers, strict=True):
        if isinstance(answer, BaseException):
            raise answer
        renderings[id(planned.task)] = answer
    rendered = RenderedPlan(plan=plan, renderings=renderings)
    if empty := list(PlannedObjects(rendered).of_empty_documents()):
        raise InvalidDocument(empty)
    return rendered
