"""`POST /workflow` as Knavigator has it: one workflow in, the end of its run out."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import PlainTextResponse

from knavtool.errors import KnavError
from knavtool.report.recorder import failures
from knavtool.server import bodies, uploads
from knavtool.server.context import Body, Here, authenticated
from knavtool.server.models import WORKFLOW_EXAMPLE, PlainOptions, State, Wait
from knavtool.server.problems import documented

if TYPE_CHECKING:
    from knavtool.server.runs import Run

router = APIRouter(
    tags=["Knavigator"], dependencies=[Depends(authenticated)], responses=documented(401, 408, 413, 422, 429, 503)
)
_TEXT = {"text/plain": {"schema": {"type": "string"}}}
_BODY = {
    "required": True,
    "content": {"application/x-yaml": {"schema": {"type": "string", "examples": [WORKFLOW_EXAMPLE]}}},
}


@router.post(
    "/workflow",
    response_class=Response,
    openapi_extra={"requestBody": _BODY},
    responses={
        200: {"description": "Every check passed.", "content": _TEXT},
        400: {"description": "What is wrong with the workflow.", "content": _TEXT},
        500: {"description": "Why the run failed.", "content": _TEXT},
    },
)
async def run_workflow(here: Here, body: Body, options: Annotated[PlainOptions, Query()]) -> Response:
    """Run one workflow and wait for its end; templates are those below the server's root directory."""
    here.queue.check(Wait.QUEUE)
    try:
        text = bodies.text(body)
        make = partial(
            uploads.planned_alone, text, here.settings.types, templates=here.settings.root, lenient=options.compat
        )
        plan = await asyncio.to_thread(make)
    except KnavError as error:
        return PlainTextResponse(f"{error.message}\n", status_code=400)
    run = here.queue.add(plan, options, Wait.QUEUE)
    await run.log.closed()
    if run.status.state is State.PASSED:
        return PlainTextResponse("")
    return PlainTextResponse(f"{_why(run)}\n", status_code=500)


def _why(run: Run) -> str:
    status = run.status
    if status.error is not None:
        return status.error.message
    messages = [f"{record.name}: {record.message}" for record in failures(run.recorder.record) if record.message]
    return "\n".join(messages) or f"the run was {status.state}"
