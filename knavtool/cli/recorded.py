"""What the options of a run say about its recording and its thresholds."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from knavtool.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from knavtool.workflow.plan import Plan


class Record(StrEnum):
    """What a run records."""

    OFF = "off"
    PODS = "pods"
    FULL = "full"


def choose(record: Record | None, report: Path | None, server: str | None) -> Record:
    """What is recorded: everything, unless something else is said. Raises UsageError."""
    if record in (Record.PODS, Record.FULL) and report is None:
        raise UsageError(f"--record {record} needs --report", hint="--report names the directory of the recording")
    if record in (Record.PODS, Record.FULL) and server is not None:
        raise UsageError(f"--record {record} does not work with --server", hint="only runs from here are recorded")
    if record is None:
        return Record.FULL if server is None else Record.OFF
    return record


def expecting(
    planned: Plan, thresholds: list[str], record: Record | None, server: str | None, *, allow_saturated: bool
) -> Plan:
    """The plan with the thresholds of the command line. Raises UsageError."""
    from knavtool.measure.threshold import parse

    if server is not None and (thresholds or allow_saturated):
        option = "--threshold" if thresholds else "--allow-saturated"
        raise UsageError(f"{option} does not work with --server", hint="write thresholds into the workflow")
    planned = planned.expecting(map(parse, thresholds), allow_saturated=allow_saturated)
    if record is Record.OFF and planned.measures:
        raise UsageError("--record off: the thresholds and CheckMeasure tasks of this run need a recording")
    return planned
