"""`junit.xml`: a workflow is a test suite and a task a test case, as CI systems read it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from knavtool import __version__
from knavtool.events import Result
from knavtool.report import files, json_file, summary, text
from knavtool.report.facts import Facts

if TYPE_CHECKING:
    from pathlib import Path

    from knavtool.report.recorder import Record
    from knavtool.report.summary import Case, Counts, Suite

# XML 1.0 has no way to write these characters, not even escaped; colour codes of programs contain them.
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(record: Record, *, epoch: float, facts: Facts | None = None) -> str:
    """The XML of a run."""
    counted = summary.summarize(record)
    root = ET.Element("testsuites", {"name": "knavtool"})
    _number(root, counted.counts, record)
    properties = _properties(record, facts or Facts())
    for suite in counted.suites:
        _suite(root, suite, properties, epoch)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def write(path: Path, record: Record, *, epoch: float, facts: Facts | None = None) -> None:
    """Write the report; the file is there whole or not at all."""
    files.write(path, document(record, epoch=epoch, facts=facts))


def _number(element: ET.Element, counted: Counts, record: Record) -> None:
    element.set("tests", str(sum(counted.values())))
    element.set("failures", str(counted["failed"]))
    element.set("errors", str(counted["cancelled"]))
    element.set("skipped", str(counted["skipped"]))
    element.set("time", f"{json_file.seconds(record):.3f}")


def _properties(record: Record, facts: Facts) -> dict[str, str]:
    given = {
        "knavtool": __version__,
        "server": facts.server,
        "context": facts.context,
        "python": facts.python,
        "system": facts.system,
        "cores": str(facts.cores),
        "clock": "client",
        "busy": f"{facts.busy:.3f}" if facts.wall else "",
    } | {key: f"{number:g}" for key, number in summary.requests(record).items()}
    return {key: value for key, value in given.items() if value}


def _suite(root: ET.Element, suite: Suite, properties: dict[str, str], epoch: float) -> None:
    record = suite.record
    element = ET.SubElement(root, "testsuite", {"name": _clean(record.name)})
    _number(element, suite.counts, record)
    element.set("timestamp", json_file.timestamp(record.started, epoch))
    if suite.file:
        element.set("file", _clean(suite.file))
    described = {"description": record.description} if record.description else {}
    listed = ET.SubElement(element, "properties")
    for name, value in (properties | described).items():
        ET.SubElement(listed, "property", {"name": name, "value": _clean(value)})
    for case in suite.cases:
        _case(element, suite, case)


def _case(parent: ET.Element, suite: Suite, case: Case) -> None:
    record = case.record
    attributes = {
        "classname": _clean(suite.record.name),
        "name": _clean(case.title),
        "time": f"{json_file.seconds(record):.3f}",
    }
    if suite.file:
        attributes["file"] = _clean(suite.file)
        if line := text.line_of(record):
            attributes["line"] = str(line)
    element = ET.SubElement(parent, "testcase", attributes)
    message = _clean(record.message)
    match record.result:
        case Result.FAILED:
            failure = ET.SubElement(element, "failure", {"message": text.first_line(message), "type": "failed"})
            failure.text = message
        case Result.SKIPPED:
            ET.SubElement(element, "skipped", {"message": text.first_line(message)})
        case Result.CANCELLED | None:
            ET.SubElement(element, "error", {"message": text.first_line(message) or "interrupted", "type": "cancelled"})
        case Result.OK:
            pass
    # Some readers show the output of a case only, others its failure only.
    notes = [note.message for note in record.notes]
    output = "\n".join(filter(None, [record.description, *notes, record.message]))
    if output:
        ET.SubElement(element, "system-out").text = _clean(output)


def _clean(message: str) -> str:
    return _FORBIDDEN.sub("\ufffd", _COLOUR.sub("", message))
