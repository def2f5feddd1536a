"""The cluster of a piece of work, and the connection to it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from knavtool.kube.client import Client
    from knavtool.kube.connection.limiting import RateLimit
    from knavtool.report.facts import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """How a cluster is found: as kubectl does, if neither a kubeconfig nor a context is named."""

    kubeconfig: Path | None
    context: str | None
    environment: Mapping[str, str]


@asynccontextmanager
async def connected(target: Target, limit: Callable[[str], RateLimit], facts: Facts) -> AsyncIterator[Client]:
    """A client; while it is open the process is measured, and the facts tell where the run takes place."""
    from knavtool.kube.connecting import connect

    async with connect(
        kubeconfig=target.kubeconfig, context=target.context, environment=target.environment, limit=limit
    ) as gateway:
        facts.server, facts.context = gateway.server_version, gateway.context
        with facts.measured():
            yield gateway
