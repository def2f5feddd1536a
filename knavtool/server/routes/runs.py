"""Runs: submit, list, look at, follow, report, cancel."""

from __future__ import annotations

import asyncio
import json
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from knavtool.report import json_file, junit_file, markdown_file
from knavtool.server import bodies, problems, uploads
from knavtool.server.context import Body, Found, Here, authenticated
from knavtool.server.feeding import report_page
from knavtool.server.models import WORKFLOW_EXAMPLE, Options, QueueOptions, RunStatus, Submission
from knavtool.server.page import HEADERS
from knavtool.server.problems import Refusal, documented

router = APIRouter(tags=["runs"], dependencies=[Depends(authenticated)], responses=documented(401, 422))

YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
_YAML = {
    "schema": {"type": "string", "description": "One workflow that names no templates.", "examples": [WORKFLOW_EXAMPLE]}
}
_JSON = {"schema": {"$ref": "#/components/schemas/Submission"}}
_BODY = {"required": True, "content": {"application/json": _JSON, **dict.fromkeys(YAML_TYPES, _YAML)}}
_LOCATION: dict[str, Any] = {"Location": {"description": "The run.", "required": True, "schema": {"type": "string"}}}
_MESSAGE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "Grows from message to message."},
        "event": {"enum": ["status", "started", "progressed", "ended", "noted"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["id", "event", "data"],
}
_EVENTS: dict[str, Any] = {
    "description": "Messages named `status` hold the run as GET /runs/{id} shows it; those named `started`, "
    "`progressed`, `ended` and `noted` are the events of its steps. The stream ends after the run.",
    "content": {"text/event-stream": {"schema": _MESSAGE}},
}
_REPORT: dict[str, Any] = {
    "description": "What `knavtool run --report` writes.",
    "content": {
        "application/json": {"schema": {"type": "object", "description": "See `knavtool schema report`."}},
        "application/xml": {"schema": {"type": "string"}},
        "text/markdown": {"schema": {"type": "string"}},
        "text/html": {"schema": {"type": "string"}},
    },
}


class ReportFormat(StrEnum):
    """The forms of a report."""

    JSON = "json"
    JUNIT = "junit"
    MARKDOWN = "markdown"
    HTML = "html"


@router.post(
    "/runs",
    status_code=202,
    openapi_extra={"requestBody": _BODY},
    responses={202: {"headers": _LOCATION}, **documented(400, 408, 409, 413, 415, 429, 503)},
)
async def submit(
    request: Request, response: Response, here: Here, body: Body, plain: Annotated[QueueOptions, Query()]
) -> RunStatus:
    """Queue a run. A body of JSON says everything itself; the parameters belong to a body of YAML."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/json":
        if request.query_params:
            raise Refusal(422, "options stand in the body if that is JSON, not in the URL")
        submission = read_submission(body)
        options: Options = submission.options
        wait = submission.wait
        make = partial(uploads.planned, submission, here.settings.types)
    elif media_type in YAML_TYPES:
        options, wait = plain, plain.wait
        make = partial(uploads.planned_alone, bodies.text(body), here.settings.types, lenient=plain.compat)
    else:
        expected = ", ".join(["application/json", *YAML_TYPES])
        raise Refusal(415, f"the content type is {media_type or 'missing'}, expected one of {expected}")
    here.queue.check(wait)
    run = here.queue.add(await asyncio.to_thread(make), options, wait)
    response.headers["Location"] = f"/runs/{run.id}"
    return run.status


def read_submission(body: bytes) -> Submission:
    """A body of JSON; raises Refusal (400, 422)."""
    try:
        return Submission.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise problems.bad_body(error) from None


@router.get("/runs")
async def list_runs(here: Here) -> list[RunStatus]:
    """The runs that are remembered, the oldest first."""
    return [run.status for run in here.queue.runs()]


@router.get("/runs/{id}", responses=documented(404))
async def get_run(run: Found) -> RunStatus:
    """The state of a run."""
    return run.status


@router.post("/runs/{id}/cancel", status_code=202, responses=documented(404))
async def cancel_run(run: Found, here: Here) -> RunStatus:
    """End a run; its cleanup is still done. One that has ended stays as it is."""
    here.queue.cancel(run)
    return run.status


@router.get(
    "/runs/{id}/events",
    response_class=StreamingResponse,
    responses={200: _EVENTS, **documented(404)},
)
async def follow_run(
    run: Found, last: Annotated[int, Header(alias="Last-Event-ID", ge=0, description="Go on behind this one.")] = 0
) -> StreamingResponse:
    """All events of a run from the first, then those to come, as server-sent events."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(run.log.follow(last), media_type="text/event-stream", headers=headers)


@router.get(
    "/runs/{id}/report",
    response_class=Response,
    responses={200: _REPORT, **documented(404, 409)},
)
async def report(run: Found, format: ReportFormat = ReportFormat.JSON) -> Response:  # noqa: A002 - the parameter's name
    """The report of a run that has ended."""
    if not run.ended:
        raise Refusal(409, "the run has not ended", hint="follow its events until it has")
    if not run.recorder.roots:
        raise Refusal(404, "the run ended before its first task, so there is no report")
    record, epoch = run.recorder.record, run.recorder.epoch
    match format:
        case ReportFormat.JUNIT:
            return Response(junit_file.document(record, epoch=epoch, facts=run.facts), media_type="application/xml")
        case ReportFormat.MARKDOWN:
            return Response(markdown_file.document(record, facts=run.facts), media_type="text/markdown")
        case ReportFormat.HTML:
            if run.page is None:
                raise Refusal(404, "the run was not recorded", hint="knavtool serve --record full")
            return Response(await report_page(run.page.recording), media_type="text/html", headers=HEADERS)
        case ReportFormat.JSON:
            text = json.dumps(json_file.document(record, epoch=epoch, facts=run.facts), default=str)
            return Response(text, media_type="application/json")
