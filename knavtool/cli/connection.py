"""The connection of a run to the cluster of a command."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from knavtool.cli.options import Target
    from knavtool.kube.client import Client
    from knavtool.kube.limiting import RateLimit
    from knavtool.report.facts import Facts


@asynccontextmanager
async def connected(target: Target, limit: Callable[[str], RateLimit], facts: Facts) -> AsyncIterator[Client]:
    """A client; while it is open the process is measured, and the facts tell where the run takes place."""
    from knavtool.kube.client import connect

    async with connect(
        kubeconfig=target.kubeconfig, context=target.context, environment=target.environment, limit=limit
    ) as gateway:
        facts.server, facts.context = gateway.server_version, gateway.context
        with facts.measured():
            yield gateway
