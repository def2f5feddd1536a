"""Requests to one API server: connection pool, rate limit, bounded retries, errors."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import orjson

from knavtool.errors import ClusterError, Unauthorized, Unreachable
from knavtool.kube import access as accesses
from knavtool.kube.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import aiohttp

    from knavtool.kube.limiting import RateLimit
    from knavtool.kube.resource import Manifest

_RETRIED = frozenset({429, 500, 502, 503, 504})
_FIRST_DELAY = 0.1
_LONGEST_DELAY = 5.0


class Transport:
    """Sends requests; `sent` counts them, retries included."""

    def __init__(
        self, access: accesses.Access, session: aiohttp.ClientSession, *, limit: RateLimit, patience: float
    ) -> None:
        self.server = access.server
        self.patience = patience
        self.sent = 0
        self._access = access
        self._session = session
        self._limit = limit

    @asynccontextmanager
    async def stream(self, path: str, purpose: str, query: Mapping[str, str]) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a long answer and hand over its lines; a broken connection raises Unreachable."""
        import aiohttp

        await self._limit.acquire()
        try:
            async with self._session.get(
                _url(self.server, path, tuple((query or {}).items())),
                headers=dict(await self._access.headers()),
                proxy=self._access.proxy,
            ) as response:
                if response.status >= 400:
                    raise refusal(response.status, await response.read(), purpose)
                yield _lines(response.content)
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            raise Unreachable(f"{purpose}: the connection broke: {_text(error)}") from error

    async def request(
        self,
        method: str,
        path: str,
        purpose: str,
        *,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        patience: float | None = None,
        trouble: list[ClusterError] | None = None,
    ) -> Manifest:
        """One request with retries; `trouble` receives the failures after which the request may have been done."""
        url = _url(self.server, path, tuple((query or {}).items()))
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self.patience if patience is None else patience)
        delay = _FIRST_DELAY
        while True:
            await self._limit.acquire()
            try:
                status, wait, answer = await self._send(method, url, body, headers)
            except Unreachable as error:
                failure: ClusterError = Unreachable(f"{purpose}: {error.message}", hint=error.hint)
                wait = 0.0
                if trouble is not None:
                    trouble.append(failure)
            else:
                if status < 400:
                    return _decoded(answer)
                hint = accesses.expiry_hint(self._access.certificate) if status == 401 else ""
                failure = refusal(status, answer, purpose, hint=hint)
                if status not in _RETRIED or isinstance(failure, Unauthorized):
                    raise failure
            pause = max(wait, delay * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
            if loop.time() + pause > deadline:
                raise failure
            await asyncio.sleep(pause)
            delay = min(delay * 2, _LONGEST_DELAY)

    async def _send(
        self, method: str, url: Any, body: bytes | None, headers: Mapping[str, str] | None
    ) -> tuple[int, float, bytes]:
        """Send once; returns status, seconds of Retry-After, body."""
        import aiohttp

        merged = {"Content-Type": "application/json", "Accept": "application/json"}
        merged.update(await self._access.headers())
        if headers:
            merged.update(headers)
        self.sent += 1
        try:
            async with self._session.request(
                method, url, data=body, headers=merged, proxy=self._access.proxy
            ) as response:
                return response.status, _seconds(response.headers.get("Retry-After")), await response.read()
        except aiohttp.ClientConnectorCertificateError as error:
            raise ClusterError(
                f"{self.server}: the server's certificate is not trusted: {_text(error.certificate_error)}",
                hint="the kubeconfig's certificate-authority does not belong to this server",
            ) from error
        except aiohttp.ClientSSLError as error:
            raise ClusterError(f"{self.server}: TLS failed: {_text(error)}") from error
        except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
            raise Unreachable(
                f"{self.server} does not answer: {_text(error)}",
                hint="is the cluster running? `knavtool cluster status` tells, `knavtool cluster up` starts one",
            ) from error


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
    decoded: Manifest = orjson.loads(answer)
    return decoded


def _seconds(header: str | None) -> float:
    return float(header) if header and header.isdigit() else 0.0


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Split a stream at newlines, whatever the length of a line."""
    rest = b""
    async for chunk in content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line:
                yield line
