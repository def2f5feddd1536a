"""What it costs a run to record: 1,000 one-pod Jobs to their completion on 200 nodes, with `--record full` and `off`.

The workflow and the other reports are the same, and a control plane is new for each figure. The task that waits for the
pods tells when the last one had succeeded; what is compared is the time from the first Job to that.
"""

from __future__ import annotations

import gzip
import json
import statistics
from typing import TYPE_CHECKING, Any

from bench import plane
from bench.jobs import jobs
from bench.measurement import Aim, Held, Measurement, Sample, in_turn
from bench.nodes import nodes

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from bench.setting import Setting

_NODES = 200


def run(setting: Setting) -> Generator[Sample]:
    """The processor time of knavtool is told too, and how late the watch was against the audit log."""
    count = setting.count(1_000)
    given = jobs(setting, count, suspend=False, check="Succeeded")
    where = nodes(setting, _NODES)

    def on(record: str) -> tuple[float, float, dict[str, float]]:
        with plane.new(setting, audit_log="on") as control:
            control.bare(where.present)
            report = control.directory / "report"
            done = control.knavtool("run", str(given.workflow), "--report", str(report), "--record", record)
            began, _ = done.span("task", "submit")
            _, ended = done.span("task", "pending")
            used = json.loads((report / "report.json").read_text())["process"]["cpu"]
            told = _recorded(report / "recording.jsonl.gz", count) if record == "full" else {}
            return ended - began, used, told

    for (seconds, cpu, told), (others, without, _) in in_turn(setting.repeat, lambda: on("full"), lambda: on("off")):
        yield Sample(ours=seconds, beside=others, also={"processor seconds": cpu, "without": without, **told})


def _recorded(path: Path, count: int) -> dict[str, float]:
    """The size of a recording, and how late its watch was."""
    facts: list[dict[str, Any]] = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    lags = [1000 * (fact["seen"] - fact["at"]) for fact in facts if "seen" in fact]
    pods = sum(fact["fact"] == "pod" for fact in facts)
    quantiles = statistics.quantiles(lags, n=20, method="inclusive")
    return {
        "recording per 1,000 Jobs, MB": path.stat().st_size / count / 1000,
        "facts with the audit log's moment, %": 100 * len(lags) / pods,
        "lag P50, ms": quantiles[9],
        "lag P95, ms": quantiles[18],
    }


MEASUREMENT = Measurement(
    name="recording-1000",
    ours="1,000 Jobs, `--record full`",
    beside="`--record off`",
    unit="s",
    aim=Aim(held=Held.RATIO, limit=1.03),
    run=run,
)
