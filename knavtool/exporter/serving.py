"""The exporter as a server: the page, and answers to probes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from knavtool.exporter.cluster import Cluster
from knavtool.exporter.following import Following
from knavtool.exporter.page import CONTENT_TYPE, Page
from knavtool.listening import http_server

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterable

    from knavtool.exporter.seen import Tracked
    from knavtool.kube.gateway import Gateway

    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]

_MOST_CONNECTIONS = 64
_TEXT = "text/plain; charset=utf-8"
_METHODS = ("GET", "HEAD")


async def serve(listening: socket.socket, gateway: Gateway, tracked: Tracked) -> None:
    """Serve until this task is cancelled. Raises ClusterError if the cluster cannot be read at the beginning."""
    page = Page(tracked)
    cluster = Cluster(tracked, page.gangs)
    following = Following(gateway, cluster)
    page.show(cluster, lambda: following.up, following.complete.is_set)
    server = http_server(_Application(page, following.complete), connections=_MOST_CONNECTIONS)
    serving = asyncio.create_task(server.serve(sockets=[listening]), name="server")
    follow = asyncio.create_task(following.follow(), name="follow")
    try:
        # Neither ends by itself but with an error.
        done, _ = await asyncio.wait({serving, follow}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        follow.cancel()
        server.should_exit = True
        await asyncio.gather(follow, serving, return_exceptions=True)


class _Application:
    """ASGI: `/metrics`, `/healthz`, which answers always, and `/readyz`, once the cluster is known."""

    def __init__(self, page: Page, complete: asyncio.Event) -> None:
        self._page = page
        self._complete = complete

    async def __call__(self, scope: dict[str, Any], _: Receive, send: Send) -> None:
        path = scope["path"]
        if scope["method"] not in _METHODS:
            await _answer(send, 405, [b"only GET\n"])
        elif path == "/metrics":
            await _answer(send, 200, self._page.text(), CONTENT_TYPE)
        elif path == "/healthz":
            await _answer(send, 200, [b"ok\n"])
        elif path == "/readyz":
            ready = self._complete.is_set()
            await _answer(send, 200 if ready else 503, [b"ok\n" if ready else b"the cluster is not known yet\n"])
        else:
            await _answer(send, 404, [b"there are /metrics, /healthz and /readyz\n"])


async def _answer(send: Send, status: int, body: Iterable[bytes], content_type: str = _TEXT) -> None:
    headers = [(b"content-type", content_type.encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for piece in body:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
