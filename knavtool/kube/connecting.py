"""From a kubeconfig to an open client."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from knavtool.kube.client import Client
from knavtool.kube.connection import access as accesses
from knavtool.kube.connection.limiting import RateLimit
from knavtool.kube.connection.transport import Transport
from knavtool.kube.gateway import FIELD_MANAGER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from knavtool.kube.connection.kubeconfig import Kubeconfig

_PYTHON_CLOSES_TLS = (3, 12, 8)


def _no_limit(server: str) -> RateLimit:  # noqa: ARG001 - the same for all servers
    return RateLimit()


@asynccontextmanager
async def connect(
    *,
    kubeconfig: Path | None,
    context: str | None,
    environment: Mapping[str, str] | None = None,
    limit: Callable[[str], RateLimit] = _no_limit,
    retry_timeout: float = 60.0,
) -> AsyncIterator[Client]:
    """Open a client for the cluster of a kubeconfig; raises Unreachable or Unauthorized at once if nothing works.

    `environment` is consulted for $KUBECONFIG and $HOME when `kubeconfig` is None.
    `limit` gives the rate limit for a server's URL. `retry_timeout` is how many seconds a failing request is retried.
    """
    access = await accesses.load(accesses.kubeconfig_files(kubeconfig, environment or {}), context)
    async with open_client(access, limit=limit(access.server), retry_timeout=retry_timeout) as client:
        await client.version()
        yield client


@asynccontextmanager
async def connect_to(config: Kubeconfig, *, retry_timeout: float = 60.0, page: int = 500) -> AsyncIterator[Client]:
    """Open a client for the cluster of a context that was chosen before; otherwise as `connect`.

    `page` is how many objects the lists that begin a watch bring at a time.
    """
    access = await accesses.access_of(config)
    async with open_client(access, retry_timeout=retry_timeout, page=page) as client:
        await client.version()
        yield client


@asynccontextmanager
async def open_client(
    access: accesses.Access, *, limit: RateLimit | None = None, retry_timeout: float = 60.0, page: int = 500
) -> AsyncIterator[Client]:
    """Open a client without asking the server for anything yet."""
    import aiohttp

    connector = aiohttp.TCPConnector(
        limit=0,
        # Otherwise a TLS connection that is given up, as that of a watch, stays open until the server says farewell.
        enable_cleanup_closed=sys.version_info < _PYTHON_CLOSES_TLS,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        skip_auto_headers=("User-Agent", "Accept-Encoding"),
        headers=[("User-Agent", FIELD_MANAGER), *access.as_headers],
        auto_decompress=False,
    ) as session:
        # aiohttp would repeat lost GETs and DELETEs by itself, unseen; whether a DELETE was lost matters to its answer.
        session._retry_connection = False  # noqa: SLF001 - there is no option for it
        transport = Transport(access, session, limit=limit or RateLimit(), retry_timeout=retry_timeout)
        yield Client(transport, page=page)
