"""`cluster status` on the local engine: what each process is, and whether it works."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.cluster import processes, record
from knavtool.cluster.components import hosted
from knavtool.cluster.components.records import component
from knavtool.cluster.engines.local.readiness import control_plane_health
from knavtool.cluster.engines.local.settings import PROCESSES
from knavtool.cluster.health import healthy, origin

if TYPE_CHECKING:
    from knavtool.cluster.layout import ClusterFiles

_WITHIN = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One process; `state` is `healthy`, `unhealthy` (it runs, but does not answer) or `dead`."""

    component: str
    version: str
    state: str
    pid: int | None
    endpoint: str
    log: str


async def status(files: ClusterFiles) -> list[Row]:
    """All processes of a cluster; raises EngineError if there is no such cluster."""
    known = record.load(files)
    if known is None:
        raise files.missing()
    alive = processes.running(files)
    urls = control_plane_health(known.ports)
    versions = {name: known.versions.get(name, "") for name in PROCESSES}
    for name in known.components:
        chosen = component(name)
        urls[name] = hosted.ready_url(files, chosen, known.ports)
        versions[name] = chosen.version
    answers = await asyncio.gather(
        *(healthy(url, within=_WITHIN) if name in alive else _no() for name, url in urls.items())
    )
    return [
        Row(
            component=name,
            version=versions[name],
            state="dead" if name not in alive else "healthy" if answer else "unhealthy",
            pid=alive.get(name),
            endpoint=origin(url),
            log=str(files.log(name)),
        )
        for (name, url), answer in zip(urls.items(), answers, strict=True)
    ]


async def _no() -> bool:
    return False
