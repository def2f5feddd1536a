"""`report.json`: the whole tree of a run, for programs; its shape is `schemas/report.schema.json`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from knavtool import __version__
from knavtool.events import Result
from knavtool.report import files, summary
from knavtool.report.facts import Facts
from knavtool.report.measured.json_file import measures

if TYPE_CHECKING:
    from pathlib import Path

    from knavtool.measure.table import Measured
    from knavtool.report.recorder import Record

FORMAT = 1
"""Raised when a reader of the format before could misread a report."""


def document(
    record: Record, *, epoch: float, facts: Facts | None = None, measured: Measured | None = None
) -> dict[str, Any]:
    """The report of a run; `epoch` turns the steps' clock into seconds since 1970."""
    facts = facts or Facts()
    counted = summary.summarize(record)
    environment = {
        "server": facts.server,
        "context": facts.context,
        "python": facts.python,
        "system": facts.system,
        "cores": facts.cores,
    }
    requests = summary.requests(record)
    return {
        "format": FORMAT,
        "tool": {"name": "knavtool", "version": __version__},
        "environment": {key: value for key, value in environment.items() if value},
        "clock": "client",
        "started": timestamp(record.started, epoch),
        "duration": seconds(record),
        "result": result(record),
        "counts": {
            "workflows": summary.counts(suite.record for suite in counted.workflows),
            "tasks": counted.tasks,
            "cases": counted.counts,
        },
        **({"requests": requests} if requests else {}),
        "process": {"cpu": round(facts.cpu, 3), "busy": round(facts.busy, 3), "lag": round(facts.lag, 3)},
        **({"measures": measures(measured)} if measured is not None else {}),
        "run": _step(record, epoch),
    }


def write(
    path: Path, record: Record, *, epoch: float, facts: Facts | None = None, measured: Measured | None = None
) -> None:
    """Write the report; the file is there whole or not at all."""
    content = document(record, epoch=epoch, facts=facts, measured=measured)
    files.write(path, json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n")


def timestamp(at: float, epoch: float) -> str:
    """A moment as UTC in ISO 8601."""
    return datetime.fromtimestamp(at + epoch, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds(record: Record) -> float:
    """How long a step took, in milliseconds' precision; 0 for one that never ended."""
    return round(record.seconds or 0.0, 3)


def result(record: Record) -> str:
    """How a step ended; one that never did was cut off."""
    return (record.result or Result.CANCELLED).value


def _step(record: Record, epoch: float) -> dict[str, Any]:
    optional: dict[str, Any] = {
        "detail": record.detail,
        "description": record.data.get("description", ""),
        "message": record.message,
        "data": {key: value for key, value in record.data.items() if key != "description"},
        "notes": [{"message": note.message, "warning": note.warning} for note in record.notes],
        "steps": [_step(child, epoch) for child in record.children],
    }
    return {
        "kind": record.kind,
        "name": record.name,
        "result": result(record),
        "started": timestamp(record.started, epoch),
        "duration": seconds(record),
    } | {key: value for key, value in optional.items() if value}
