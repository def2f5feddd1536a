"""An API server on loopback that says what a test scripts, and one-page helpers for its answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson
from aiohttp import web

from knavtool.kube.connection.access import Access

if TYPE_CHECKING:
    import socket
    import ssl


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the server received; `client` is the common name of the client's certificate, empty without one."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    client: str = ""

    @property
    def json(self) -> Any:
        """The decoded body."""
        return orjson.loads(self.body)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An ordinary answer; a body that is not text is sent as JSON."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Drop:
    """Close the connection without an answer; `read` says whether the body is read first."""

    read: bool = True


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A watch: objects (or raw bytes) line by line, then its end.

    `end` is "close" (the server ends the answer), "abort" (the connection breaks) or "hold" (it stays open until the
    test's server closes). `tail` is sent before the end without a newline.
    """

    lines: Sequence[Any] = ()
    tail: bytes = b""
    end: str = "close"


@dataclass(frozen=True, kw_only=True)
class Silence:
    """Take the request and say nothing until the test's server closes."""


Reply: TypeAlias = Answer | Drop | Stream | Silence


class ApiServer:
    """Answers by method and path; the last reply of a script is repeated."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.streaming = asyncio.Event()
        self._scripts: dict[tuple[str, str], list[Reply]] = {}
        self._closing = asyncio.Event()

    def access(self, **more: Any) -> Access:
        """How to reach the server; without authentication unless `headers` is given."""
        return Access(**{"server": self.url, "headers": no_headers, **more})

    def on(self, method: str, path: str, *replies: Reply) -> None:
        """Script the replies to requests; a watch of a path has the method "WATCH"."""
        self._scripts[method, path] = list(replies)

    def asked(self, method: str, path: str | None = None) -> list[Request]:
        """The requests with that method; a watch has the method "WATCH"."""
        return [one for one in self.requests if one.method == method and path in (None, one.path)]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Record a request and play the next reply."""
        method = "WATCH" if request.query.get("watch") == "true" else request.method
        replies = self._scripts.get((method, request.path))
        reply: Reply = Answer(status=404, body=status(404, "NotFound", f"nothing is scripted for {request.path}"))
        if replies:
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
        body = b"" if reply == Drop(read=False) else await request.read()
        self.requests.append(
            Request(
                method=method,
                path=request.path,
                query=dict(request.query),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=body,
                client=_client(request),
            )
        )
        if isinstance(reply, Drop):
            _abort(request)
            return web.Response()
        if isinstance(reply, Silence):
            await self._closing.wait()
            return web.Response()
        if isinstance(reply, Stream):
            return await self._stream(request, reply)
        text = reply.body if isinstance(reply.body, str) else orjson.dumps(reply.body).decode()
        return web.Response(
            status=reply.status, text=text, content_type="application/json", headers=dict(reply.headers)
        )

    async def _stream(self, request: web.BaseRequest, reply: Stream) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for line in reply.lines:
            await response.write((line if isinstance(line, bytes) else orjson.dumps(line)) + b"\n")
        if reply.tail:
            await response.write(reply.tail)
        if reply.end == "hold":
            self.streaming.set()
            await self._closing.wait()
        if reply.end == "abort":
            _abort(request)
        else:
            await response.write_eof()
        return response

    def close(self) -> None:
        """End the streams that are held open."""
        self._closing.set()


@asynccontextmanager
async def serve(tls: ssl.SSLContext | None = None, *, at: socket.socket | None = None) -> AsyncIterator[ApiServer]:
    """Run a server on a socket or on a free port of loopback for the time of a test."""
    server = ApiServer()
    runner = web.ServerRunner(web.Server(server.handle, access_log=None), shutdown_timeout=1)
    await runner.setup()
    try:
        if at is not None:
            await web.SockSite(runner, at, ssl_context=tls).start()
        else:
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        host, port = runner.addresses[0][:2]
        server.url = f"{'https' if tls is not None else 'http'}://{host}:{port}"
        yield server
    finally:
        server.close()
        await runner.cleanup()


async def no_headers() -> Mapping[str, str]:
    """The authentication headers for a server that asks for none."""
    return {}


def status(code: int, reason: str, message: str) -> dict[str, Any]:
    """A refusal as the API server words it."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


def refuse(code: int, reason: str, message: str = "no", **headers: str) -> Answer:
    """A refusal; headers are given as `retry_after="1"`."""
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return Answer(status=code, body=status(code, reason, message), headers=named)


def page(*items: Mapping[str, Any], version: str = "1", token: str = "") -> Answer:
    """One page of a list."""
    metadata = {"resourceVersion": version} | ({"continue": token} if token else {})
    return Answer(body={"metadata": metadata, "items": list(items)})


def item(name: str, version: str = "1", *, uid: str = "", namespace: str = "", **rest: Any) -> dict[str, Any]:
    """An object as the server shows it; its uid is made from its name unless given."""
    metadata = {"name": name, "uid": uid or f"uid-{name}", "resourceVersion": version}
    return {"metadata": metadata | ({"namespace": namespace} if namespace else {}), **rest}


def event(kind: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """One line of a watch."""
    return {"type": kind, "object": manifest}


def _client(request: web.BaseRequest) -> str:
    certificate = request.transport.get_extra_info("peercert") if request.transport is not None else None
    subject = (certificate or {}).get("subject", ())
    return next((value for part in subject for key, value in part if key == "commonName"), "")


def _abort(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()
