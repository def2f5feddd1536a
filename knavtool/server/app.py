"""The application: its routes together, every error as one kind of answer, and the OpenAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from knavtool import __version__
from knavtool.server import problems
from knavtool.server.context import Context
from knavtool.server.models import Problem, Submission
from knavtool.server.problems import documented
from knavtool.server.routes import health, live, runs, workflow

if TYPE_CHECKING:
    from knavtool.server.context import Settings
    from knavtool.server.queue import Queue


def create_app(queue: Queue, settings: Settings) -> FastAPI:
    """The application of one queue."""
    app = _Documented(
        title="knavtool",
        version=__version__,
        description="Runs workflows on one cluster, one run at a time.",
        docs_url=None,  # these pages would load their scripts from the internet
        redoc_url=None,
        responses=documented(500),
    )
    app.state.context = Context(queue=queue, settings=settings)
    problems.install(app)
    for routes in (health, runs, live, workflow):
        app.include_router(routes.router)
    return app


class _Documented(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """The document, with the shapes of bodies that the routes read themselves."""
        document = super().openapi()
        _, shapes = models_json_schema(
            [(Submission, "validation"), (Problem, "serialization")], ref_template="#/components/schemas/{model}"
        )
        document["components"]["schemas"].update(shapes["$defs"])
        return document
