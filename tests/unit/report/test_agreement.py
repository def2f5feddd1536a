"""The same run has the same numbers wherever it is read."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import junitparser
import pytest
from jsonschema import Draft202012Validator

from knavtool import resources
from knavtool.report import text
from knavtool.report.closing import closing
from knavtool.report.facts import Facts
from knavtool.report.write import ReportFiles
from support.runs import record_everything, record_run

if TYPE_CHECKING:
    from pathlib import Path

    from knavtool.report.recorder import Recorder

FACTS = Facts(server="v1.37.2", context="knavtool-local", cpu=2.135, wall=21.35, lag=0.004)


@pytest.fixture(params=[record_run, record_everything])
def told(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """A run as terminal, JSON, JUnit and Markdown tell it."""
    recorder: Recorder = request.param()
    ReportFiles(directory=tmp_path).write(recorder.record, epoch=recorder.epoch, facts=FACTS)
    return {
        "terminal": list(closing(recorder.roots)),
        "json": json.loads((tmp_path / "report.json").read_text()),
        "junit": junitparser.JUnitXml.fromfile(str(tmp_path / "junit.xml")),
        "markdown": (tmp_path / "summary.md").read_text(),
    }


def test_json_fits_its_schema(told: dict[str, Any]) -> None:
    Draft202012Validator(json.loads(resources.schema("report").read_text())).validate(told["json"])


def test_counts_agree(told: dict[str, Any]) -> None:
    counts = told["json"]["counts"]
    tasks, cases = counts["tasks"], counts["cases"]
    totals = next(line for line in told["terminal"] if re.match(r"\d+ tasks: ", line))
    number, parts = re.fullmatch(r"(\d+) tasks: (.*) in .*", totals).groups()  # type: ignore[union-attr]
    said = {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", parts)}
    assert said == {word: count for word, count in tasks.items() if count}
    assert int(number) == sum(tasks.values())
    assert totals in told["markdown"]
    xml = told["junit"]
    assert (xml.tests, xml.failures, xml.errors, xml.skipped) == (
        sum(cases.values()),
        cases["failed"],
        cases["cancelled"],
        cases["skipped"],
    )
    xml.update_statistics()
    assert (xml.tests, xml.failures) == (sum(cases.values()), cases["failed"]), "the attributes are what is in the file"
    assert sum(counts["workflows"].values()) == sum(suite.name != "cleanup" for suite in xml)


def test_times_agree(told: dict[str, Any]) -> None:
    report = told["json"]
    assert told["junit"].time == report["duration"]
    shown = f" in {text.duration(report['duration'])}"
    assert any(shown in line for line in told["terminal"])
    assert shown in told["markdown"]
    expected = sorted(step["duration"] for step in _steps(report["run"]) if step["kind"] in ("task", "cleanup"))
    itself = [step["duration"] for step in _steps(report["run"]) if step["kind"] == "block" and _alone(step)]
    assert sorted(case.time for suite in told["junit"] for case in suite) == sorted(expected + itself)


def test_tables_agree(told: dict[str, Any]) -> None:
    lines = told["terminal"]
    terminal = [re.split(r"\s{2,}", line.strip())[:2] for line in lines[2 : lines.index("", 1)]]
    rows = [re.split(r" *\| *", line.strip("| ")) for line in told["markdown"].splitlines() if line.startswith("|")][2:]
    assert [[row[0].split()[1], row[1].replace("&emsp;", "")] for row in rows] == terminal
    for line, row in zip(lines[2:], rows, strict=False):
        assert re.search(rf" {re.escape(row[3])}(  |$)", line), (line, row)


def test_requests_agree(told: dict[str, Any]) -> None:
    if "requests" not in told["json"]:
        return
    assert told["json"]["requests"] == {"requests": 1234, "retries": 3, "qps": 500, "rate": 57.8}
    words = "1234 requests to the API server (3 retries), 58/s of at most 500/s"
    assert told["terminal"][-1] == words
    assert words in told["markdown"]
    properties = _properties(told["junit"])
    assert (properties["requests"], properties["qps"], properties["rate"]) == ("1234", "500", "57.8")


def test_where_it_ran_is_told(told: dict[str, Any]) -> None:
    report, properties = told["json"], _properties(told["junit"])
    assert report["format"] == 1
    environment = report["environment"]
    assert (environment["server"], environment["context"]) == ("v1.37.2", "knavtool-local")
    for name in ("server", "context", "python", "system", "cores"):
        assert properties[name] == str(environment[name])
    assert report["process"] == {"cpu": 2.135, "busy": 0.1, "lag": 0.004}
    assert properties["busy"] == "0.100"
    assert "Kubernetes v1.37.2" in told["markdown"]


def _properties(xml: junitparser.JUnitXml) -> dict[str, str]:
    return {one.name: one.value for one in next(iter(xml)).properties()}


def _steps(step: dict[str, Any]) -> list[dict[str, Any]]:
    return [step, *(below for child in step.get("steps", ()) for below in _steps(child))]


def _alone(step: dict[str, Any]) -> bool:
    return step["result"] == "failed" and all(child["result"] == "ok" for child in step.get("steps", ()))
