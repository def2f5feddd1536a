"""The page of a run: live while it goes on, then its report."""

from __future__ import annotations

import asyncio
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Depends, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from knavtool.report.html.live import frame
from knavtool.server.context import Found, Here, authenticated
from knavtool.server.feeding import Feeding
from knavtool.server.page import HEADERS, STREAM
from knavtool.server.problems import Refusal

# For people and for the page itself, not for programs: so these are not in the OpenAPI document.
router = APIRouter(prefix="/runs/{id}/live", include_in_schema=False)
guarded = APIRouter(dependencies=[Depends(authenticated)], include_in_schema=False)


async def _page(run: Found) -> Feeding:
    if run.page is None:
        raise Refusal(404, "the run is not recorded", hint="knavtool serve --record full")
    if run.ended:
        await run.page.finish()
    return run.page


Page: TypeAlias = Annotated[Feeding, Depends(_page)]


@router.get("", response_class=HTMLResponse)
async def page(here: Here, id: str) -> HTMLResponse:  # noqa: A002, ARG001 - the name in the path
    """The page of a run, which shows it while it goes on. There is nothing in it before it has the token: open it with
    `#token=TOKEN` behind the address.
    """
    return HTMLResponse(await asyncio.to_thread(frame, here.settings.cache), headers=HEADERS)


@guarded.get("/events", response_class=StreamingResponse)
async def events(page: Page) -> StreamingResponse:
    """The parts of the page as server-sent events."""
    return StreamingResponse(page.live.follow(), media_type="text/event-stream", headers=STREAM)


@guarded.get("/tables/{name}")
async def table(page: Page, name: str) -> Response:
    """A table as the page unpacks it."""
    found = await page.table(name)
    if found is None:
        raise Refusal(404, f"there is no table {name} now")
    return Response(found, media_type="application/json", headers=STREAM)


router.include_router(guarded)
