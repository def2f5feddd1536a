"""A proxy on loopback in front of a real API server, which counts requests and does harm where a test says so."""

from __future__ import annotations

import asyncio
import re
import ssl
import sys
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

import aiohttp
import orjson
from aiohttp import web

from support import kubeconfigs
from support.api_server import status
from support.control_plane import LocalCluster

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Refuse:
    """Answer with a status of one's own; `done` says whether the server gets the request all the same."""

    code: int
    reason: str = ""
    message: str = "refused by the test"
    headers: dict[str, str] = field(default_factory=dict)
    done: bool = False


@dataclass(frozen=True, kw_only=True)
class Reset:
    """Break the connection instead of answering; `done` says whether the server gets the request all the same."""

    done: bool = False


@dataclass(frozen=True, kw_only=True)
class Cut:
    """End a watch after so many events: with the connection broken in the middle of a line, or with an ERROR event."""

    events: int
    error: int = 0


Harm: TypeAlias = Refuse | Reset | Cut


@dataclass(frozen=True, kw_only=True)
class Request:
    """What passed; a watch has the method "WATCH". `status` is what the client was told, 0 if nothing."""

    method: str
    path: str
    status: int


class Proxy:
    """Forwards with the rights of the cluster's administrator; `tokens` are those it accepts, None: no matter which.

    Without `aggregated`, discovery is as older servers know it: what else a client would accept is lost.
    It runs in a thread of its own, so that tests may wait for processes meanwhile.
    """

    def __init__(self, cluster: LocalCluster, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.server = ""
        self.requests: list[Request] = []
        self.tokens: set[str] | None = None
        self.aggregated = True
        self._cluster = cluster
        self._harms: list[tuple[str, re.Pattern[str], list[Harm | None]]] = []
        self._passed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._runner: web.ServerRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    def harm(self, method: str, path: str, *harms: Harm | None) -> None:
        """What to do to the next requests of a method to paths that end so (a regular expression), one after another.

        None lets one pass.
        """
        self._harms.append((method, re.compile(f".*{path}"), list(harms)))

    def count(self, method: str, path: str) -> int:
        """How many such requests came."""
        wanted = re.compile(f".*{path}")
        return sum(one.method == method and wanted.fullmatch(one.path) is not None for one in list(self.requests))

    def wait_for(self, method: str, path: str, count: int = 1, *, within: float = 30) -> None:
        """Wait until so many such requests came."""
        with self._passed:
            came = self._passed.wait_for(lambda: self.count(method, path) >= count, within)
        assert came, f"{self.count(method, path)} of {count} requests {method} {path} within {within:g} s"

    def vanish(self) -> None:
        """Refuse connections from now on, and break those that are open."""
        self._do(self._close())

    def start(self) -> None:
        """Listen, and write the kubeconfig."""
        self._thread.start()
        self.server = self._do(self._listen())
        kubeconfigs.write(self.kubeconfig, self.server)

    def stop(self) -> None:
        """End everything."""
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _do(self, work: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> str:
        pki = self._cluster.files.pki
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self._session = aiohttp.ClientSession(
            self._cluster.server,
            connector=aiohttp.TCPConnector(ssl=context, limit=0, enable_cleanup_closed=sys.version_info < (3, 12, 8)),
            timeout=aiohttp.ClientTimeout(total=None),
        )
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def _close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()
        self._runner = self._session = None
        # What still follows a watch for a client that has gone.
        left = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
        for one in left:
            one.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        method = "WATCH" if request.query.get("watch") == "true" else request.method
        body = await request.read()
        answer: web.StreamResponse | None = None
        code = 0
        try:
            answer = await self._answer(request, method, body)
            code = answer.status if answer is not None else 0
        except aiohttp.ClientError:
            pass  # the server behind is away, and so are we
        finally:
            self._note(Request(method=method, path=request.path, status=code))
        return answer or _broken(request)

    def _note(self, request: Request) -> None:
        with self._passed:
            self.requests.append(request)
            self._passed.notify_all()

    async def _answer(self, request: web.BaseRequest, method: str, body: bytes) -> web.StreamResponse | None:
        if self.tokens is not None and request.headers.get("Authorization", "")[7:] not in self.tokens:
            return _refusal(Refuse(code=401, reason="Unauthorized", message="Unauthorized"))
        harm = self._next_harm(method, request.path)
        if isinstance(harm, Refuse | Reset) and not harm.done:
            return _refusal(harm) if isinstance(harm, Refuse) else None
        assert self._session is not None
        headers = {name: value for name, value in request.headers.items() if name in ("Accept", "Content-Type")}
        if not self.aggregated and request.path in ("/api", "/apis"):
            headers["Accept"] = "application/json"
        async with self._session.request(request.method, request.path_qs, data=body, headers=headers) as upstream:
            if method == "WATCH" and upstream.status == 200:
                return await self._stream(request, upstream, harm if isinstance(harm, Cut) else None)
            content = await upstream.read()
        if isinstance(harm, Refuse):
            return _refusal(harm)
        if isinstance(harm, Reset):
            return None
        return web.Response(status=upstream.status, body=content, content_type=upstream.content_type)

    def _next_harm(self, method: str, path: str) -> Harm | None:
        for wanted, pattern, harms in self._harms:
            if harms and wanted == method and pattern.fullmatch(path):
                return harms.pop(0)
        return None

    async def _stream(
        self, request: web.BaseRequest, upstream: aiohttp.ClientResponse, cut: Cut | None
    ) -> web.StreamResponse | None:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        self._note(Request(method="OPENED", path=request.path, status=200))
        left = cut.events if cut is not None else -1
        lines = _lines(upstream)
        while left != 0 and (line := await anext(lines, None)) is not None:
            left -= 1
            await response.write(line)
        if cut is not None and cut.error:
            refusal = status(cut.error, "Expired" if cut.error == 410 else "InternalError", "ended by the test")
            await response.write(orjson.dumps({"type": "ERROR", "object": refusal}) + b"\n")
        elif cut is not None:
            await response.write(b'{"type":"MODIFIED","object":{"meta')
            return None
        await response.write_eof()
        return response


@contextmanager
def proxy(cluster: LocalCluster, kubeconfig: Path) -> Iterator[Proxy]:
    """Run a proxy in front of a cluster; `kubeconfig` is written for it."""
    made = Proxy(cluster, kubeconfig)
    try:
        made.start()
        yield made
    finally:
        made.stop()


async def _lines(upstream: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in upstream.content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"


def _refusal(harm: Refuse) -> web.Response:
    body = orjson.dumps(status(harm.code, harm.reason, harm.message))
    return web.Response(status=harm.code, body=body, content_type="application/json", headers=harm.headers)


def _broken(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
