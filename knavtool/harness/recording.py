"""A run's recording: made before the run, fed from where it takes place, measured when somebody asks."""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knavtool.errors import KnavError, OutputError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from knavtool.kube.connection.limiting import RateLimit
    from knavtool.measure.table import Measured
    from knavtool.report.facts import Facts

_SETTLING = 0.25
_LAST_LINES = 0.05
_AT_THE_END = 4
_LONGEST = 40


class RunRecording:
    """The recording of one run on a cluster that it learns of when it connects.

    `file` takes facts from the beginning, `cluster` those about pods and nodes. Without a directory for reports it is
    kept until the run ends, for what is to be measured.
    """

    def __init__(
        self,
        directory: Path | None,
        *,
        epoch: float,
        environment: Mapping[str, str],
        facts: Facts,
        limit: Callable[[str], RateLimit],
        everything: bool,
    ) -> None:
        from knavtool.catalogue.catalogue import Catalogue
        from knavtool.measure.reading import NAME
        from knavtool.recording.cluster import ClusterFacts
        from knavtool.recording.file import Recording
        from knavtool.recording.kinds import all_kinds
        from knavtool.recording.moments import Moments
        from knavtool.recording.pulse import Pulse

        self._own = None if directory is not None else Path(tempfile.mkdtemp(prefix="knavtool-recording-"))
        self.file = Recording((directory or self._own or Path()) / NAME, clock=time.monotonic, epoch=epoch)
        self._environment = environment
        self._facts = facts
        self._limit = limit
        self._moments = Moments(self.file)
        kinds = all_kinds(Catalogue.load(environment).readable()[0])
        self.pulse = Pulse(time.monotonic)
        self.cluster = ClusterFacts(self._write, kinds, everything=everything)

    def _write(self, **fact: Any) -> None:
        self.pulse.take(fact)
        self._moments.write(**fact)

    def end(self) -> None:
        """Nothing more is recorded; the file is whole, and stays until `close`."""
        self.file.close()

    def close(self, *, keep: bool) -> None:
        """End the file, and remove it if it is not to be kept."""
        self.file.close(keep=keep and self._own is None)
        if self._own is not None:
            self._own.rmdir()

    def measured_whole(self) -> tuple[Measured | None, list[OutputError]]:
        """The whole recording, measured after its end; and why that cannot be done."""
        from knavtool.measure.measuring import measure_file

        try:
            return measure_file(self.file.path), []
        except Exception as error:  # noqa: BLE001 - the run is over, and its other reports must be written
            reason = error.message if isinstance(error, KnavError) else f"{type(error).__name__}: {error}"
            return None, [OutputError(f"the recording cannot be measured, so there is no report.html: {reason}")]

    async def measured(self) -> Measured:
        """What was recorded until now, measured; costs as much as measuring all of it at the end."""
        from knavtool.measure.measuring import measure_file

        await self._settled(_LONGEST)
        self.file.flush()
        return await asyncio.to_thread(measure_file, self.file.path)

    @asynccontextmanager
    async def connected(self, server: str) -> AsyncIterator[None]:
        """For the block, in which the run is connected to `server`, take moments and samples every second."""
        from knavtool import __version__
        from knavtool.engines.local.plan import local_cluster
        from knavtool.engines.local.recorded import Numbers, components, open_audit_log
        from knavtool.recording.samples import Samples, every, tell_once
        from knavtool.usage import LoopLag

        files = local_cluster(server, self._environment)
        log = open_audit_log(files) if files is not None else "the cluster is not a local one"
        about = {
            "knavtool": __version__,
            "python": self._facts.python,
            "system": self._facts.system,
            "cores": self._facts.cores,
            "server": self._facts.server,
            "context": self._facts.context,
            "qps": self._limit(server).qps or None,
        }
        write = self.file.write
        tell_once(write, about, components(files) if files is not None else ())
        self._moments.use(None if isinstance(log, str) else log, reason=log if isinstance(log, str) else "")
        numbers = Numbers(files) if files is not None else None
        loop = LoopLag()
        samples = Samples(write, lag=loop.take, processes=numbers)
        ticking = [
            # Often, so that it does not keep the run waiting for long.
            asyncio.create_task(every(_SETTLING, self._moments.settle), name="moments"),
            # What was told until now is in the file then.
            asyncio.create_task(
                every(1.0, self._moments.settle, samples.take, self.pulse.sample, self.file.flush), name="samples"
            ),
        ]
        try:
            with loop.measured():
                yield
            await self._settled(_AT_THE_END)
        finally:
            for task in ticking:
                task.cancel()
            await asyncio.gather(*ticking, return_exceptions=True)
            self._moments.settle(last=True)
            samples.take()
            if not isinstance(log, str):
                log.close()

    async def _settled(self, looks: int) -> None:
        """The last requests are in the log some milliseconds after their answers; who has none is not waited for."""
        for _ in range(looks):
            if not self._moments.settle():
                break
            await asyncio.sleep(_LAST_LINES)
