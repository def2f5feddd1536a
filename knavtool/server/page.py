"""One page on a port of its own: the run of this process, for whoever has the token."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from knavtool.listening import http_server, is_loopback
from knavtool.report.html.live import frame
from knavtool.server import tokens
from knavtool.server.feeding import Feeding

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from starlette.requests import Request

_MOST_CONNECTIONS = 64
_HERE = ("127.0.0.1", "localhost", "[::1]")
STREAM = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of pages: they are neither kept nor shown inside others, and do not say where they were."""


@asynccontextmanager
async def shown(
    listening: socket.socket,
    token: str,
    recording: Path,
    *,
    end: Callable[[], None],
    said_at_end: str,
    cache: Path,
) -> AsyncIterator[None]:
    """Show the recording on a page while the block works; `end` makes it whole after that.

    `cache` keeps the script of the charts. Whatever happens to the page does nothing to the block.
    """
    # What goes wrong with requests is no matter of the run, whose progress is on the terminal.
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    feeding = Feeding(recording, said_at_end)
    app = _application(feeding, token, cache, only_here=is_loopback(listening))
    server = http_server(app, connections=_MOST_CONNECTIONS, last_answers=1)
    serving = asyncio.create_task(server.serve(sockets=[listening]), name="page")
    feed = asyncio.create_task(feeding.feed(), name="feed")
    try:
        yield
    finally:
        try:
            end()
            feeding.end()
            await asyncio.wait([feed])
        finally:
            feed.cancel()
            server.should_exit = True
            await asyncio.gather(feed, serving, return_exceptions=True)


def _application(feeding: Feeding, token: str, cache: Path, *, only_here: bool) -> Starlette:
    async def page(_: Request) -> Response:
        # Without the token too: there is nothing of the run in it.
        return HTMLResponse(await asyncio.to_thread(frame, cache), headers=HEADERS)

    async def events(_: Request) -> Response:
        return StreamingResponse(feeding.live.follow(), media_type="text/event-stream", headers=STREAM)

    async def table(request: Request) -> Response:
        found = await feeding.table(request.path_params["name"])
        if found is None:
            return PlainTextResponse("there is no such table\n", status_code=404)
        return Response(found, media_type="application/json", headers=STREAM)

    def guarded(answer: Callable[[Request], object], *, open_to_all: bool = False) -> Callable[[Request], object]:
        async def guard(request: Request) -> Response:
            # A name that somebody else lets point here could be that of a page of theirs.
            if only_here and _name(request.headers.get("host", "")) not in _HERE:
                return PlainTextResponse(f"ask for {' or '.join(_HERE)}\n", status_code=403)
            shown_token = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not open_to_all and not tokens.same(shown_token, token):
                return PlainTextResponse("the token is wrong\n", status_code=401, headers=_CHALLENGE)
            found: Response = await answer(request)  # type: ignore[misc]
            return found

        return guard

    return Starlette(
        routes=[
            Route("/", guarded(page, open_to_all=True)),
            Route("/events", guarded(events)),
            Route("/tables/{name}", guarded(table)),
        ]
    )


_CHALLENGE = {"WWW-Authenticate": "Bearer"}


def _name(host: str) -> str:
    """A host without its port, which is another one behind a tunnel."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host
