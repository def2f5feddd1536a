"""The files of a report: the same run, the same numbers, and readable by others."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import junitparser
import pytest
from jsonschema import Draft202012Validator

from knavtool import __version__, resources
from knavtool.errors import DocumentError, OutputError
from knavtool.events import Result, StepId, StepStarted
from knavtool.measure.measuring import measure_file
from knavtool.measure.threshold import shown_value
from knavtool.report import html, json_file, junit_file
from knavtool.report.files import as_output_error
from knavtool.report.recorder import Recorder
from knavtool.report.write import ReportFiles, check_directory
from support.runs import EPOCH, MISMATCH, Clock, record_run, stepping
from support.simulated import run_of, write


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """The reports of a run in which one task failed."""
    directory = tmp_path / "deep" / "report"
    recorder = record_run()
    paths, failed = ReportFiles(directory=directory).write(recorder.record, epoch=recorder.epoch)
    assert not failed
    assert sorted(path.name for path in paths) == ["junit.xml", "report.json", "summary.md"]
    return directory


def test_json_fits_its_schema(reports: Path) -> None:
    schema = json.loads(resources.schema("report").read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads((reports / "report.json").read_text()))


def test_json_tells_the_run(reports: Path) -> None:
    report = json.loads((reports / "report.json").read_text())
    assert report["tool"] == {"name": "knavtool", "version": __version__}
    assert report["started"] == "2023-11-14T22:15:00.000Z"
    assert (report["result"], report["duration"]) == ("failed", 6.25)
    assert report["counts"]["tasks"] == {"ok": 2, "failed": 1, "skipped": 1, "cancelled": 0}
    assert report["counts"]["workflows"] == {"ok": 1, "failed": 1, "skipped": 0, "cancelled": 0}
    check = report["run"]["steps"][1]["steps"][0]
    assert check == {
        "kind": "task",
        "name": "check",
        "detail": "CheckObj",
        "result": "failed",
        "started": "2023-11-14T22:15:02.250Z",
        "duration": 3.0,
        "message": MISMATCH,
    }


def test_measures_are_in_every_report_of_their_kind(tmp_path: Path) -> None:
    measured = measure_file(write(tmp_path / "recording.jsonl.gz", run_of(pods=20, nodes=4)))
    recorder = record_run()
    _, failed = ReportFiles(directory=tmp_path).write(recorder.record, epoch=recorder.epoch, measured=measured)
    assert not failed
    report = json.loads((tmp_path / "report.json").read_text())
    Draft202012Validator(json.loads(resources.schema("report").read_text())).validate(report)
    assert report["measures"]["pods.count"] == {"value": 20, "unit": "pods", "n": 20}
    makespan = shown_value(measured.measures["makespan"])
    assert f"| Makespan | {makespan} | 20 |" in (tmp_path / "summary.md").read_text()
    assert f'value="{report["measures"]["makespan"]["value"]!r}"' in (tmp_path / "report.html").read_text()


def test_plots_that_cannot_be_drawn_stop_no_other_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("no such font")

    monkeypatch.setattr(html, "write", broken)
    measured = measure_file(write(tmp_path / "recording.jsonl.gz", run_of(pods=3, nodes=1)))
    recorder = record_run()
    written, failed = ReportFiles(directory=tmp_path).write(recorder.record, epoch=recorder.epoch, measured=measured)
    assert [path.name for path in written] == ["report.json", "junit.xml", "summary.md"]
    assert [one.message for one in failed] == [
        f"cannot draw the report {tmp_path / 'report.html'}: ValueError: no such font"
    ]


def test_junit_is_read_by_another_parser(reports: Path) -> None:
    xml = junitparser.JUnitXml.fromfile(str(reports / "junit.xml"))
    suites = list(xml)
    assert [suite.name for suite in suites] == ["first", "second", "cleanup"]
    cases = {case.name: case for suite in suites for case in suite}
    assert list(cases) == ["register (RegisterObj)", "job (SubmitObj)", "check (CheckObj)", "later (Sleep)", "cleanup"]
    (failure,) = cases["check (CheckObj)"].result
    assert isinstance(failure, junitparser.Failure)
    assert failure.text == MISMATCH
    assert failure.message == "Job default/job-1: 1 field differs ..."
    assert isinstance(cases["later (Sleep)"].result[0], junitparser.Skipped)
    assert cases["check (CheckObj)"].system_out == MISMATCH
    assert cases["job (SubmitObj)"].system_out == "a note"


def test_json_and_junit_agree(reports: Path) -> None:
    report = json.loads((reports / "report.json").read_text())
    xml = junitparser.JUnitXml.fromfile(str(reports / "junit.xml"))
    assert xml.time == report["duration"]
    counted = (xml.tests, xml.failures, xml.errors, xml.skipped)
    xml.update_statistics()
    assert (xml.tests, xml.failures, xml.errors, xml.skipped) == counted == (5, 1, 0, 1)
    times = {case.name.split()[0]: case.time for suite in xml for case in suite}
    tasks = [task for workflow in report["run"]["steps"][:2] for task in workflow["steps"]]
    assert {task["name"]: task["duration"] for task in tasks}.items() <= times.items()


def test_a_run_that_was_cut_off_is_no_success() -> None:
    recorder = Recorder(epoch=EPOCH)
    recorder(StepStarted(step=StepId(1), parent=None, kind="run", name="run", at=1.0))
    recorder(StepStarted(step=StepId(2), parent=StepId(1), kind="workflow", name="w", at=1.0))
    recorder(StepStarted(step=StepId(3), parent=StepId(2), kind="task", name="t", at=1.0))
    report = json_file.document(recorder.record, epoch=EPOCH)
    assert (report["result"], report["counts"]["tasks"]["cancelled"]) == ("cancelled", 1)
    xml = junitparser.JUnitXml.fromstring(junit_file.document(recorder.record, epoch=EPOCH).encode())
    assert (xml.tests, xml.errors) == (1, 1)


def test_a_run_that_fails_before_any_workflow_fails_in_junit() -> None:
    recorder, clock = Recorder(), Clock()
    with stepping(recorder, clock).step("run", "run") as run:
        run.result, run.message = Result.FAILED, "no such kind"
    xml = junitparser.JUnitXml.fromstring(junit_file.document(recorder.record, epoch=EPOCH).encode())
    assert (xml.tests, xml.failures) == (1, 1)


def test_a_workflow_that_fails_for_its_own_reason_fails_in_junit() -> None:
    recorder, clock = Recorder(), Clock()
    steps = stepping(recorder, clock)
    with steps.step("run", "run") as run, run.nested().step("workflow", "w") as workflow:
        with workflow.nested().step("task", "fine", "Sleep"):
            pass
        workflow.result = run.result = Result.FAILED
    xml = junitparser.JUnitXml.fromstring(junit_file.document(recorder.record, epoch=EPOCH).encode())
    assert [(case.name, bool(case.result)) for suite in xml for case in suite] == [("fine (Sleep)", False), ("w", True)]


@pytest.mark.parametrize("text", ["\x1b[31mred\x1b[0m", "nul \x00 byte", "<&\"'>", "lone \ud800 surrogate", "käse 🧀"])
def test_junit_stays_xml_whatever_a_program_said(text: str) -> None:
    recorder = Recorder()
    steps = stepping(recorder, Clock())
    with steps.step("run", "run") as run, run.nested().step("workflow", f"w {text}") as workflow:
        with workflow.nested().step("task", f"t {text}") as task:
            task.note(text)
            task.result, task.message = Result.FAILED, f"said {text}\nand more"
        workflow.result = run.result = Result.FAILED
    xml = junitparser.JUnitXml.fromstring(junit_file.document(recorder.record, epoch=EPOCH).encode())
    (case,) = [case for suite in xml for case in suite]
    assert case.result[0].text.startswith("said ")
    assert "\x1b" not in case.result[0].text


def test_a_second_report_replaces_the_first_and_leaves_no_scraps(reports: Path) -> None:
    recorder = record_run()
    ReportFiles(directory=reports).write(recorder.record, epoch=0.0)
    assert json.loads((reports / "report.json").read_text())["started"].startswith("1970-")
    assert sorted(path.name for path in reports.iterdir()) == ["junit.xml", "report.json", "summary.md"]


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    target = tmp_path / "file" / "report"
    with pytest.raises(DocumentError, match=r"cannot write reports to .*: Not a directory"):
        check_directory(target)
    files = ReportFiles(directory=target, json=tmp_path / "report.json", step_summary=tmp_path)
    written, failed = files.write(record_run().record, epoch=0.0)
    # One that cannot be written keeps no other from it.
    assert written == [tmp_path / "report.json"]
    assert [str(error) for error in failed] == [
        *(f"cannot write the report {target}/{name}: Not a directory" for name in ("report.json", "junit.xml")),
        f"cannot write the report {target}/summary.md: Not a directory",
        f"cannot add the summary to {tmp_path}: Is a directory",
    ]


def test_checking_a_directory_makes_none(tmp_path: Path) -> None:
    check_directory(tmp_path / "new" / "report")
    assert not (tmp_path / "new").exists()


def test_checking_a_directory_touches_nothing_of_the_user(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    mine = [place / name for name in (".knavtool", ".report.json.new", "report.json")]
    for file in mine:
        file.write_text("mine")
    ReportFiles(directory=place, json=place / "report.json").check()
    assert sorted(place.iterdir()) == sorted(mine)
    assert {file.read_text() for file in mine} == {"mine"}


def test_a_report_may_go_to_a_device_or_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    files = ReportFiles(json=pipe, junit=Path(os.devnull))
    files.check()
    # Open for reading and writing, so that the writer need not wait for a reader; a report is smaller than a pipe.
    with os.fdopen(os.open(pipe, os.O_RDWR), "rb", buffering=0) as reader:
        assert files.write(record_run().record, epoch=0.0) == ([pipe, Path(os.devnull)], [])
        assert json.loads(reader.read(1 << 16))["result"] == "failed"
    assert pipe.is_fifo()
    assert Path(os.devnull).is_char_device()


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.EACCES, "name a place that you may write to"),
        (errno.ENOSPC, "free some space"),
        (errno.ENOENT, "something removed the directory meanwhile; run the command again"),
        (errno.EIO, ""),
    ],
)
def test_the_hint_is_about_the_real_cause(number: int, hint: str) -> None:
    with pytest.raises(OutputError) as raised, as_output_error("cannot write the report x"):
        raise OSError(number, os.strerror(number))
    assert raised.value.message == f"cannot write the report x: {os.strerror(number)}"
    assert raised.value.hint == hint
