"""A component that is not wanted any more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from knavtool.engines.local.state import record

if TYPE_CHECKING:
    from knavtool.engines.local.awaiting import Telling
    from knavtool.engines.local.components.component import LocalComponent
    from knavtool.engines.local.state.layout import ClusterFiles
    from knavtool.engines.local.state.record import Record


async def leave(files: ClusterFiles, component: LocalComponent, known: Record, telling: Telling) -> Record:
    """Remove its objects while its processes can still tidy up after them, then the processes; returns the record."""
    one = component.host.component
    known = replace(known, unfinished={**known.unfinished, one.name: one.version})
    record.save(files, known)
    with telling.steps.step("cluster", one.name, "removing"), telling.awaited.waiting(one.name, lambda: "not removed"):
        await component.remove()
    known = replace(
        known,
        components=record.besides(known.components, one.name),
        unfinished=record.besides(known.unfinished, one.name),
    )
    record.save(files, known)
    files.component_record(one.name).unlink(missing_ok=True)
    return known
