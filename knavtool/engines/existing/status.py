"""`cluster status` in a cluster that exists: what knavtool installed there, and whether it works."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from knavtool.engines.existing import installed
from knavtool.errors import NotFound
from knavtool.kube.rollout import JobFailed, lacking

if TYPE_CHECKING:
    from knavtool.engines.existing.installation import Ref
    from knavtool.kube.client import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadRow:
    """One workload of a component, or the component if it has none.

    `state` is `healthy`, `unhealthy` or `missing`, and `incomplete` for a component whose installation did not come to
    its end; `detail` says what is lacking. `values` are the names of what the user set in the component's chart.
    """

    component: str
    version: str
    state: str
    workload: str
    detail: str
    values: tuple[str, ...] = field(default=(), metadata={"table": False})


async def status(client: Client) -> list[WorkloadRow]:
    """All components that knavtool installed in the cluster, in the order of their installation."""
    rows = []
    for record in (await installed.load(client)).values():
        row = partial(WorkloadRow, component=record.name, version=record.version, values=record.values)
        for ref in record.workloads:
            state, detail = await _workload(client, ref)
            rows.append(row(state=state, workload=f"{ref.kind} {ref.namespace}/{ref.name}", detail=detail))
        if not record.workloads or not record.complete:
            state = "healthy" if record.complete else "incomplete"
            detail = "" if record.complete else "the installation did not finish; `cluster up` completes it"
            rows.append(row(state=state, workload="", detail=detail))
    return rows


async def _workload(client: Client, ref: Ref) -> tuple[str, str]:
    resource = await client.discover(ref.api_version, ref.kind)
    try:
        item = await client.get(resource, ref.name, namespace=ref.namespace)
        reason = lacking({**item, "kind": ref.kind})
    except NotFound:
        return "missing", "it was deleted; `cluster up` restores it"
    except JobFailed as error:
        return "unhealthy", error.message
    return ("unhealthy", reason) if reason else ("healthy", "")
