"""`junit.xml`: a workflow is a test suite and a task a test case, as CI systems read it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from knavtool.events import Result
from knavtool.report import files, json_file, text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from knavtool.report.recorder import Record

# XML 1.0 has no way to write these characters, not even escaped; colour codes of programs contain them.
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(record: Record, *, epoch: float) -> str:
    """The XML of a run."""
    root = ET.Element("testsuites", {"name": "knavtool"})
    suites = [_suite(root, workflow, list(workflow.find("task")), epoch) for workflow in record.find("workflow")]
    suites += [_suite(root, cleanup, [cleanup], epoch) for cleanup in record.find("cleanup")]
    if _failed_itself(record):
        suites.append(_suite(root, record, [record], epoch))
    for key in ("tests", "failures", "errors", "skipped"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in suites)))
    root.set("time", f"{json_file.seconds(record):.3f}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def write(path: Path, record: Record, *, epoch: float) -> None:
    """Write the report; the file is there whole or not at all."""
    files.write(path, document(record, epoch=epoch))


def _suite(root: ET.Element, record: Record, cases: list[Record], epoch: float) -> ET.Element:
    suite = ET.SubElement(root, "testsuite", {"name": _clean(record.name)})
    # A workflow that ends for a reason of its own must not look well because its tasks do.
    own = [record] if record not in cases and _failed_itself(record) else []
    for case in [*cases, *own]:
        _case(suite, record, case)
    all_ = [*cases, *own]
    suite.set("tests", str(len(all_)))
    suite.set("failures", str(_count(all_, Result.FAILED)))
    suite.set("errors", str(_count(all_, Result.CANCELLED, None)))
    suite.set("skipped", str(_count(all_, Result.SKIPPED)))
    suite.set("time", f"{json_file.seconds(record):.3f}")
    suite.set("timestamp", json_file.timestamp(record.started, epoch))
    return suite


def _case(suite: ET.Element, group: Record, record: Record) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        {
            "classname": _clean(group.name),
            "name": _clean(f"{record.name} ({record.detail})" if record.detail else record.name),
            "time": f"{json_file.seconds(record):.3f}",
        },
    )
    message = _clean(record.message)
    match record.result:
        case Result.FAILED:
            failure = ET.SubElement(case, "failure", {"message": text.first_line(message), "type": "failed"})
            failure.text = message
        case Result.SKIPPED:
            ET.SubElement(case, "skipped", {"message": text.first_line(message)})
        case Result.CANCELLED | None:
            ET.SubElement(case, "error", {"message": text.first_line(message) or "interrupted", "type": "cancelled"})
        case Result.OK:
            pass
    if record.notes:
        ET.SubElement(case, "system-out").text = _clean("\n".join(note.message for note in record.notes))


def _failed_itself(record: Record) -> bool:
    bad = (Result.FAILED, Result.CANCELLED, None)
    return record.result in bad and not any(child.result in bad for child in record.children)


def _count(records: Iterable[Record], *results: Result | None) -> int:
    return sum(record.result in results for record in records)


def _clean(message: str) -> str:
    return _FORBIDDEN.sub("\ufffd", _COLOUR.sub("", message))
