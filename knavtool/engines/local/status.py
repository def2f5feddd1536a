"""`cluster status` on the local engine: what each process is, and whether it works."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from knavtool.engines.local.components.component_processes import ComponentProcesses
from knavtool.engines.local.control_plane.configured import configurables
from knavtool.engines.local.control_plane.health import lasting_answer, origin
from knavtool.engines.local.control_plane.readiness import API_SERVER, control_plane_health
from knavtool.engines.local.control_plane.settings import PROCESSES
from knavtool.engines.local.plan import require_records
from knavtool.engines.local.processes import processes, supervisor
from knavtool.engines.local.state import record
from knavtool.errors import EngineError
from knavtool.settings.describing import cut, short
from knavtool.settings.effective import differing
from knavtool.settings.settings import Settings
from knavtool.usage import usage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.catalogue.catalogue import Catalogue
    from knavtool.engines.local.state.layout import ClusterFiles

_WITHIN = 5.0
_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRow:
    """One process; `state` is `healthy`, `unhealthy` (it runs, but does not answer) or `dead`.

    `memory` is resident, in MiB; `restarts` counts those of its keeper, and `last_exit` says how it ended before.
    `differs` is what its settings change, in short, and `settings` are those in full; see `Settings.as_data`. `reason`
    says what is wrong with one that is not healthy; `audit_log` is that of the API server, if it keeps one.
    """

    component: str
    version: str
    state: str
    pid: int | None
    memory: int | None
    restarts: int
    last_exit: str
    differs: str
    endpoint: str
    log: str
    reason: str = field(default="", metadata={"table": False})
    audit_log: str = field(default="", metadata={"table": False})
    settings: Mapping[str, Any] = field(default_factory=dict, metadata={"table": False})


async def status(files: ClusterFiles, catalogue: Catalogue) -> list[ProcessRow]:
    """All processes of a cluster; raises EngineError if there is no such cluster."""
    known = record.load(files)
    if known is None:
        raise files.missing()
    alive = processes.running(files)
    states = supervisor.states(files)
    urls = control_plane_health(known.ports)
    versions = {name: known.versions.get(name, "") for name in PROCESSES}
    settings = known.settled
    for name, one in configurables().items():
        if name in settings:
            settings[name] = differing(one.subject, settings[name])
    catalogue = catalogue.with_records_in(files.component_records, first=True)
    for name, version in known.components.items():
        if name not in catalogue.files:
            continue  # see `require_finished`
        host = ComponentProcesses(
            files, catalogue.component(name, version), known.ports, settings.pop(name, Settings())
        )
        for process in host.component.processes:
            urls[process.name] = host.ready_url(process)
            versions[process.name] = version
            settings[process.name] = host.shown_settings(process.name)
    answers = await asyncio.gather(
        *(lasting_answer(url, within=_WITHIN) if name in alive else _dead() for name, url in urls.items())
    )
    rows = []
    for (name, url), complaint in zip(urls.items(), answers, strict=True):
        number, state = alive.get(name), states.get(name)
        used = usage(number) if number is not None else None
        chosen = settings.get(name, Settings())
        rows.append(
            ProcessRow(
                component=name,
                version=versions[name],
                state="dead" if number is None else "unhealthy" if complaint else "healthy",
                pid=number,
                memory=used.memory_bytes // _MIB if used is not None else None,
                restarts=state.restarts if state is not None else 0,
                last_exit=str(state.last_exit) if state is not None and state.last_exit else "",
                differs=cut(short(chosen)),
                endpoint=origin(url),
                log=str(files.log(name)),
                reason=f"{url} {complaint}" if number is not None and complaint else complaint,
                audit_log=str(files.audit_log) if name == API_SERVER and known.audit_log == "on" else "",
                settings=chosen.as_data(),
            )
        )
    return rows


def require_finished(files: ClusterFiles, catalogue: Catalogue) -> None:
    """Raise EngineError if the last `up` did not finish, or a component has no record any more."""
    known = record.load(files)
    if known is not None:
        require_records(files, known, catalogue.with_records_in(files.component_records))
    if known is not None and (known.unfinished or not known.created):
        missing = f": {', '.join(known.unfinished)}" if known.unfinished else ""
        raise EngineError(
            f"the last `knavtool cluster up` of cluster {files.name} did not finish{missing}",
            hint=f"`knavtool cluster up --name {files.name}` does what is left",
        )


async def _dead() -> str:
    return "no such process"
