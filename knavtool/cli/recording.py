"""What a recording gets from where a run takes place: moments, samples, who runs there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from knavtool.recording.file import Recording
    from knavtool.recording.moments import Moments
    from knavtool.report.facts import Facts

_SETTLING = 0.25
_LAST_LINES = 0.05
_LOOKS = 4


@asynccontextmanager
async def recorded(
    environment: Mapping[str, str], server: str, *, recording: Recording, moments: Moments, facts: Facts
) -> AsyncIterator[None]:
    """For the block, in which the run is connected to `server`, take moments and samples every second."""
    from knavtool import __version__
    from knavtool.engines.local.plan import local_cluster
    from knavtool.engines.local.recorded import Numbers, components, open_audit_log
    from knavtool.recording.samples import Samples, every, tell_once

    files = local_cluster(server, environment)
    log = open_audit_log(files) if files is not None else "the cluster is not a local one"
    about = {
        "knavtool": __version__,
        "python": facts.python,
        "system": facts.system,
        "cores": facts.cores,
        "server": facts.server,
        "context": facts.context,
    }
    tell_once(recording.write, about, components(files) if files is not None else ())
    moments.use(None if isinstance(log, str) else log, reason=log if isinstance(log, str) else "")
    samples = Samples(recording.write, lag=facts.loop.take, processes=Numbers(files) if files is not None else None)
    ticking = [
        # Often, so that it does not keep the run waiting for long.
        asyncio.create_task(every(_SETTLING, moments.settle), name="moments"),
        # What was told until now is in the file then.
        asyncio.create_task(every(1.0, moments.settle, samples.take, recording.flush), name="samples"),
    ]
    try:
        yield
        for _ in range(_LOOKS):
            # The last requests are in the log some milliseconds after their answers.
            if not moments.settle():
                break
            await asyncio.sleep(_LAST_LINES)
    finally:
        for task in ticking:
            task.cancel()
        await asyncio.gather(*ticking, return_exceptions=True)
        moments.settle(last=True)
        samples.take()
        if not isinstance(log, str):
            log.close()
