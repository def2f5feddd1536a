"""Whether the server answers and takes runs; for probes, which have no token."""

from __future__ import annotations

from fastapi import APIRouter

from knavtool.server.context import Here
from knavtool.server.models import Health
from knavtool.server.problems import documented
from knavtool.server.queue import Draining

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> Health:
    """The server answers."""
    return Health()


@router.get("/readyz", responses=documented(503))
async def readyz(here: Here) -> Health:
    """The server takes runs."""
    if here.queue.draining:
        raise Draining
    return Health()
