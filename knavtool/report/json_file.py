"""`report.json`: the whole tree of a run, for programs; its shape is `schemas/report.schema.json`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from knavtool import __version__
from knavtool.events import Result
from knavtool.report import files, summary

if TYPE_CHECKING:
    from pathlib import Path

    from knavtool.report.recorder import Record


def document(record: Record, *, epoch: float) -> dict[str, Any]:
    """The report of a run; `epoch` turns the steps' clock into seconds since 1970."""
    workflows = list(record.find("workflow"))
    tasks = [task for workflow in workflows for task in workflow.find("task")]
    return {
        "tool": {"name": "knavtool", "version": __version__},
        "clock": "client",
        "started": timestamp(record.started, epoch),
        "duration": seconds(record),
        "result": result(record),
        "counts": {"workflows": summary.counts(workflows), "tasks": summary.counts(tasks)},
        "run": _step(record, epoch),
    }


def write(path: Path, record: Record, *, epoch: float) -> None:
    """Write the report; the file is there whole or not at all."""
    files.write(path, json.dumps(document(record, epoch=epoch), indent=2, ensure_ascii=False, default=str) + "\n")


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
        "message": record.message,
        "data": dict(record.data),
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
