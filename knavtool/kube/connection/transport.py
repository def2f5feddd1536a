"""Requests to one API server: connection pool, rate limit, bounded retries, errors."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import orjson

from knavtool.errors import ClusterError, Unreachable
from knavtool.kube.connection import access as accesses
from knavtool.kube.connection.api_errors import refusal
from knavtool.kube.connection.backoff import RETRIED, Backoff
from knavtool.kube.connection.failures import CONNECTED_WITHIN, no_answer
from knavtool.kube.connection.outages import Outages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import aiohttp

    from knavtool.kube.connection.limiting import RateLimit
    from knavtool.kube.resource import Manifest

_ANSWER_WITHIN = 90.0
"""Seconds; the API server itself gives a request up after 60."""
_SILENCE_WITHIN = 300.0
"""Seconds; a watch that says nothing that long is asked anew, because a lost connection says nothing either. The server
sends bookmarks about once a minute."""
_UNAUTHORIZED = 401
_REFUSED_WHILE_STARTING = frozenset({401, 403})
_SERVER_ERROR = 500


class Transport:
    """Sends requests.

    `sent` counts them, retries included; `retries` those that had to be sent because another one failed. `last_failure`
    is why the server did not serve the request that ended last, None if it did. `date` is the last Date header.
    """

    def __init__(
        self, access: accesses.Access, session: aiohttp.ClientSession, *, limit: RateLimit, retry_timeout: float
    ) -> None:
        self.server = access.server
        self.context = access.context
        self.retry_timeout = retry_timeout
        self.limit = limit
        self.sent = 0
        self.retries = 0
        self.last_failure: ClusterError | None = None
        self.date = ""
        self._access = access
        self._session = session
        self._may_be_restarting = False
        self._met = Outages()

    @asynccontextmanager
    async def stream(self, path: str, purpose: str, query: Mapping[str, str]) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a long answer and hand over its lines; a broken connection raises Unreachable."""
        import aiohttp

        await self.limit.acquire()
        credentials = await self._access.headers()
        self.sent += 1
        try:
            async with self._session.get(
                _url(self.server, path, tuple((query or {}).items())),
                headers=dict(credentials),
                ssl=self._access.tls() or True,
                proxy=self._access.proxy,
                server_hostname=self._access.server_name,
                timeout=_timeout(_SILENCE_WITHIN, proxied=self._access.proxy is not None),
            ) as response:
                if response.status >= 400:
                    raise await self._refused_stream(response.status, await response.read(), purpose, credentials)
                self.last_failure = None
                yield _lines(response.content)
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            self.retries += 1
            raise self._failed(no_answer(error, purpose, self._access)) from error

    async def _refused_stream(
        self, status: int, answer: bytes, purpose: str, credentials: Mapping[str, str]
    ) -> ClusterError:
        """The error for a stream that was not opened; whoever reads it asks again after Unreachable or RETRIED."""
        failure = self._refusal(status, answer, purpose)
        if status not in RETRIED:
            if not await self._is_transient(status, credentials):
                return failure
            failure = Unreachable(failure.message, status=status, reason=failure.reason, hint=failure.hint)
        self.retries += 1
        return self._failed(failure)

    async def request(
        self,
        method: str,
        path: str,
        purpose: str,
        *,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        retry_timeout: float | None = None,
    ) -> Manifest:
        """One request with retries; an error says whether an earlier attempt may have been done.

        A request that fails is sent again for as long as its cause has not been met for `retry_timeout` seconds, by
        this request or by others.
        """
        import aiohttp

        url = _url(self.server, path, tuple((query or {}).items()))
        loop = asyncio.get_running_loop()
        retry_timeout = self.retry_timeout if retry_timeout is None else retry_timeout
        deadline = loop.time() + retry_timeout
        backoff = Backoff()
        perhaps_done = False
        while True:
            await self.limit.acquire()
            credentials = await self._access.headers()
            began = loop.time()
            try:
                status, wait, answer = await self._send(method, url, body, {**credentials, **(headers or {})})
            except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
                failure, wait = no_answer(error, purpose, self._access), 0.0
                lost = not isinstance(error, aiohttp.ClientConnectorError)
                if not isinstance(failure, Unreachable):
                    raise failure from error
            else:
                if status < 400:
                    self.last_failure = None
                    self._met.went_through(method)
                    return _decoded(answer)
                failure = self._refusal(status, answer, purpose)
                failure.perhaps_done = perhaps_done
                lost = status >= _SERVER_ERROR
                if status not in RETRIED and not await self._is_transient(status, credentials):
                    self.last_failure = None
                    raise failure
                if lost:
                    cause = failure.cause if failure.cause.startswith("webhook ") else f"{method} {failure.cause}"
                    deadline = min(
                        deadline, self._met.failing_since(cause, began=began, now=loop.time()) + retry_timeout
                    )
            self._failed(failure)
            perhaps_done = perhaps_done or lost
            pause = max(wait, backoff.next())
            if loop.time() + pause > deadline:
                failure.given_up, failure.perhaps_done = True, perhaps_done
                raise failure
            await asyncio.sleep(pause)
            self.retries += 1

    async def _send(
        self, method: str, url: Any, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, float, bytes]:
        """Send once; returns status, seconds of Retry-After, body."""
        self.sent += 1
        async with self._session.request(
            method,
            url,
            data=body,
            headers={"Content-Type": "application/json", "Accept": "application/json", **headers},
            ssl=self._access.tls() or True,
            proxy=self._access.proxy,
            server_hostname=self._access.server_name,
            timeout=_timeout(_ANSWER_WITHIN, proxied=self._access.proxy is not None),
        ) as response:
            self.date = response.headers.get("Date", "")
            return response.status, _seconds(response.headers.get("Retry-After")), await response.read()

    def _failed(self, failure: ClusterError) -> ClusterError:
        """Remember that the server did not serve a request."""
        self.last_failure = failure
        # A refusal that is doubted does not say that the server has started once more.
        self._may_be_restarting = self._may_be_restarting or failure.status not in _REFUSED_WHILE_STARTING
        return failure

    async def _is_transient(self, status: int, credentials: Mapping[str, str]) -> bool:
        """Whether a refusal may be none the next time: with newer credentials, or when the server has started.

        A server that has just started lets nobody in whom it has not read about yet; only when it says that it is
        ready, its next refusal counts.
        """
        if status == _UNAUTHORIZED and await self._access.renew(credentials):
            return True
        if status not in _REFUSED_WHILE_STARTING or not self._may_be_restarting:
            return False
        self._may_be_restarting = not await self._ready()
        return True

    async def _ready(self) -> bool:
        import aiohttp

        await self.limit.acquire()
        try:
            status, _, _ = await self._send("GET", _url(self.server, "/readyz", ()), None, await self._access.headers())
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            return False
        return status < 400

    def _refusal(self, status: int, answer: bytes, purpose: str) -> ClusterError:
        hint = accesses.credentials_hint(self._access.certificate()) if status == _UNAUTHORIZED else ""
        return refusal(status, answer, purpose, hint=hint)


@cache
def _timeout(silence: float, *, proxied: bool) -> aiohttp.ClientTimeout:
    """How long to wait for a connection, and for more of an answer."""
    import aiohttp

    # A proxy may take the connection and never say whether it could make the next one.
    whole = CONNECTED_WITHIN * 2 if proxied else None
    return aiohttp.ClientTimeout(total=None, connect=whole, sock_connect=CONNECTED_WITHIN, sock_read=silence)


@lru_cache(maxsize=4096)
def _url(server: str, path: str, query: tuple[tuple[str, str], ...]) -> Any:
    """The encoded URL; kept, because thousands of creations share one."""
    from yarl import URL

    given = [(key, value) for key, value in query if value]
    text = server + quote(path) + (f"?{urlencode(given)}" if given else "")
    return URL(text, encoded=True)


def _decoded(answer: bytes) -> Manifest:
    if not answer.startswith(b"{"):
        return {}
    try:
        decoded: Manifest = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return {}
    return decoded


def _seconds(header: str | None) -> float:
    return float(header) if header and header.isdigit() else 0.0


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Split a stream at newlines, whatever the length of a line."""
    rest = b""
    async for chunk in content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line:
                yield line
