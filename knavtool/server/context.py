"""What every route works with, and what stands before it: the token, and the limits of a body."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeAlias

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from knavtool.server import bodies, tokens
from knavtool.server.bodies import Limits
from knavtool.server.problems import Refusal
from knavtool.server.queue import Queue
from knavtool.server.runs import Run
from knavtool.workflow.registry import Registry, built_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the server was told at its start.

    Below `root` the templates of `POST /workflow` are read; workflows may have tasks of these `types`. `cache` keeps
    the script of the charts.
    """

    token: str
    limits: Limits
    root: Path
    types: Registry = field(default_factory=built_in)
    cache: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The queue and the settings of an application."""

    queue: Queue
    settings: Settings


def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


Here: TypeAlias = Annotated[Context, Depends(_context)]

_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="The server's token.")


async def authenticated(here: Here, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
    """Refuse whoever does not know the token; comes before anything of the body is read."""
    if shown is None or not tokens.same(shown.credentials, here.settings.token):
        raise Refusal(
            401,
            "the token is wrong" if shown is not None else "a token is needed",
            hint="send the header Authorization: Bearer TOKEN",
            headers={"WWW-Authenticate": "Bearer"},
        )


async def _body(request: Request, here: Here) -> bytes:
    return await bodies.read(request, here.settings.limits)


Body: TypeAlias = Annotated[bytes, Depends(_body)]


async def _run(id: str, here: Here) -> Run:  # noqa: A002 - the name in the path
    run = here.queue.get(id)
    if run is None:
        raise Refusal(404, f"there is no run {id}", hint="GET /runs lists those that are remembered")
    return run


Found: TypeAlias = Annotated[Run, Depends(_run)]
