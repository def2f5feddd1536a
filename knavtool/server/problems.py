"""Every refusal as one kind of answer: problem details (RFC 9457)."""

from __future__ import annotations

import http
import logging
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from knavtool.documents.places import path_text
from knavtool.errors import InvalidDocument, KnavError, Violation
from knavtool.server.models import Place, Problem
from knavtool.server.queue import Busy, Draining, Full, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from fastapi import FastAPI, Request
    from pydantic import ValidationError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_JSON_PLACE = re.compile(r" at line (\d+) column (\d+)$")
_REFUSALS: dict[type[Refused], tuple[int, str, str]] = {
    Busy: (409, "another run uses the cluster", 'wait for it, or ask with "wait": "queue"'),
    Full: (429, "as many runs wait as may wait", "try again when some of them have ended"),
    Draining: (503, "the server is about to end and takes no more runs", "try another server, or this one later"),
}


class Refusal(Exception):
    """A request that is refused; becomes an answer at the edge of the application."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        hint: str = "",
        violations: Sequence[Violation] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.problem = Problem(
            title=http.HTTPStatus(status).phrase,
            status=status,
            detail=detail,
            hint=hint,
            violations=[
                Place(file=one.file, line=one.line, column=one.column, path=one.path, message=one.message)
                for one in violations
            ],
        )
        self.headers = dict(headers or {})


def refusal(error: Exception) -> Refusal:
    """What an error means to a client."""
    match error:
        case Refusal():
            return error
        case Refused():
            status, detail, hint = _REFUSALS[type(error)]
            return Refusal(status, detail, hint=hint, headers={"Retry-After": "5"} if status != 409 else {})
        case InvalidDocument():
            return Refusal(422, error.message, hint=error.hint, violations=error.violations)
        case KnavError():
            return Refusal(422, error.message, hint=error.hint)
        case RequestValidationError():
            return Refusal(422, "the request is not valid", violations=_violations("request", error.errors()))
        case HTTPException():
            return Refusal(error.status_code, str(error.detail), headers=error.headers)
        case _:
            logger.error("internal error", exc_info=error)
            return Refusal(
                500, "internal error on the server", hint="please report it with the traceback in the server's log"
            )


def bad_body(error: ValidationError) -> Refusal:
    """A body that is no JSON, or not of the shape that is wanted."""
    faults = error.errors()
    if faults[0]["type"] != "json_invalid":
        return Refusal(422, "the request is not valid", violations=_violations("body", faults))
    message = str(faults[0]["ctx"]["error"])
    place = _JSON_PLACE.search(message)
    line, column = (int(place[1]), int(place[2])) if place else (0, 0)
    fault = Violation("body", line, column, "", f"not JSON: {_JSON_PLACE.sub('', message)}")
    return Refusal(400, "the body is not JSON", violations=[fault])


def _violations(file: str, faults: Iterable[Any]) -> list[Violation]:
    return [
        # The framework marks the key of a map as a place of its own.
        Violation(
            file,
            0,
            0,
            path_text([part for part in fault["loc"] if part != "[key]"]),
            fault["msg"].removeprefix("Value error, "),
        )
        for fault in faults
    ]


def answer(error: Exception) -> Response:
    """The answer to a request that failed."""
    refused = refusal(error)
    return Response(
        refused.problem.model_dump_json(by_alias=True),
        status_code=refused.problem.status,
        media_type=MEDIA_TYPE,
        headers=refused.headers,
    )


def install(app: FastAPI) -> None:
    """Let every error of the application become such an answer."""

    async def handle(request: Request, error: Exception) -> Response:
        answered = answer(error)
        if answered.status_code == 405:
            # The framework names the methods of the first route of a path only.
            answered.headers["Allow"] = ", ".join(_allowed(request))
        return answered

    for kind in (Refusal, Refused, KnavError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, handle)


Documented: TypeAlias = dict[int | str, dict[str, Any]]
"""Answers by their status, for the OpenAPI document."""


def _allowed(request: Request) -> list[str]:
    scopes = {method: {**request.scope, "method": method} for method in ("GET", "HEAD", "POST")}
    routes = request.app.routes
    return [
        method for method, scope in scopes.items() if any(route.matches(scope)[0] is Match.FULL for route in routes)
    ]


def documented(*codes: int) -> Documented:
    """These refusals."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        code: {"description": http.HTTPStatus(code).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for code in codes
    }
