"""Which Prometheus watches a cluster."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from knavtool.catalogue.catalogue import Catalogue
from knavtool.engines.local.plan import server_url
from knavtool.engines.local.state import record
from knavtool.engines.local.state.layout import cluster_files, cluster_names
from knavtool.engines.local.state.ports import LOOPBACK
from knavtool.errors import EngineError, NotFound
from knavtool.kube.prometheus import open_prometheus, proxied_prometheus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from knavtool.engines.local.state.record import Record
    from knavtool.kube.client import Client
    from knavtool.kube.prometheus import Prometheus


@asynccontextmanager
async def find_prometheus(
    client: Client, *, url: str | None, environment: Mapping[str, str]
) -> AsyncIterator[Prometheus]:
    """The Prometheus at `url`, otherwise that of the local cluster, otherwise that of an operator in the cluster.

    `environment` tells where this user's clusters are. Raises NotFound if there is none.
    """
    address = url or local_address(client.server, environment)
    if address is not None:
        async with open_prometheus(address) as prometheus:
            yield prometheus
        return
    found = await proxied_prometheus(client)
    if found is None:
        raise NotFound(
            f"no Prometheus watches the cluster at {client.server}",
            status=404,
            hint="`knavtool cluster up` makes a cluster with one; --prometheus names the address of another",
        )
    yield found


def local_address(server: str, environment: Mapping[str, str]) -> str | None:
    """Where the Prometheus of the local cluster with this API server listens; None if there is none."""
    for name in cluster_names(environment):
        files = cluster_files(name, environment)
        try:
            known = record.load(files)
        except EngineError:
            continue  # another cluster's record; `cluster status` complains about it
        if known is not None and known.created and server_url(known) == server:
            return _monitoring_address(
                known, Catalogue.load(environment).with_records_in(files.component_records, first=True)
            )
    return None


def _monitoring_address(known: Record, catalogue: Catalogue) -> str | None:
    for one in (catalogue.component(name) for name in known.components if name in catalogue.files):
        if one.role == "monitoring" and one.processes:
            return f"http://{LOOPBACK}:{known.ports[one.processes[0].uses[0]]}"
    return None
