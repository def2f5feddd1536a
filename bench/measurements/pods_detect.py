"""How long a check takes to see that the last of 10,000 pods is as expected, in milliseconds.

One run of `knavtool run` submits the pods and waits for all of them 200 times, half by CheckPod, half by CheckObj. Each
time another process patches the status of the last pod. The lag goes from the moment at which the API server had
answered the patch to the end of the task as `--log-format json` tells it, to a millisecond. Beside it stands the lag of
a witness: a bare watch of the same pods. Both are the 99th percentile of one run.
"""

from __future__ import annotations

import asyncio
import statistics
from functools import partial
from typing import TYPE_CHECKING

from bench import plane
from bench.measurement import Aim, Held, Measurement, Sample
from bench.pods import detection
from bench.prober import probe
from bench.setting import BenchError
from bench.witness import witness

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from bench.prober import Probe
    from bench.setting import Setting
    from bench.witness import Sighting

_ROUNDS = 100


def run(setting: Setting, *, full: int, rate: int) -> Generator[Sample]:
    """Each run has a control plane of its own: ten thousand pods take longer to delete than a new one to start."""
    for _ in range(setting.repeat):
        given = detection(setting, setting.count(full), setting.count(_ROUNDS))
        with plane.ours(setting) as control, witness(control) as seeing:
            probes, achieved = asyncio.run(probe(control, given, rate))
            seen = [one for one in seeing.told() if one.pod == given.names[-1] and one.phase == "Pending"]
        also = {"writes per second meanwhile": achieved} if rate else {}
        for check in ("pods", "objects"):
            lags = [one.lag for one in probes if one.check == check]
            also |= {f"{check} P50, ms": _percentile(lags, 50), f"{check} P99, ms": _percentile(lags, 99)}
        also["longest, ms"] = 1000 * max(one.lag for one in probes)
        moments = _witnessed(probes, seen)
        witnessed = [at - one.answered for one, at in zip(probes, moments, strict=True)]
        behind = [one.ended - at for one, at in zip(probes, moments, strict=True)]
        also["behind the bare watch P99, ms"] = _percentile(behind, 99)
        lag = _percentile([one.lag for one in probes], 99)
        yield Sample(ours=lag, beside=_percentile(witnessed, 99), also=also)


def _witnessed(probes: Iterable[Probe], seen: Iterable[Sighting]) -> list[float]:
    """When the witness saw the change of each probe: the first that it saw after it was sent."""
    moments = [one.at for one in seen]
    found = [next((at for at in moments if at > one.sent), None) for one in probes]
    if None in found:
        raise BenchError("the witness missed a change")
    return [at for at in found if at is not None]


def _percentile(seconds: list[float], which: int) -> float:
    """In milliseconds."""
    return 1000 * statistics.quantiles(seconds, n=100, method="inclusive")[which - 1]


def measurement(*, churn: int) -> Measurement:
    """The measurement while nothing else changes, or while pods are written `churn` times a second."""
    return Measurement(
        name="pods-detect-churn-10000" if churn else "pods-detect-10000",
        ours="end of CheckPod or CheckObj, P99",
        beside="bare watch, P99",
        unit="ms",
        aim=Aim(held=Held.OURS, limit=50),
        run=partial(run, full=10_000, rate=churn),
    )
