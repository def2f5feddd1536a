"""`knavtool report` on recordings, good and bad, as a user calls it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from support.cli import run_cli
from support.simulated import run_of, write

Report = Callable[..., CompletedProcess[str]]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """What a run left: 30 pods on four nodes."""
    write(tmp_path / "recording.jsonl.gz", run_of(pods=30, nodes=4))
    return tmp_path


@pytest.fixture
def report() -> Report:
    def call(*arguments: str | Path, check: int = 0) -> CompletedProcess[str]:
        return run_cli("report", *arguments, check=check)

    return call


def test_a_directory_stands_for_its_recording(report: Report, directory: Path) -> None:
    done = report(directory, "--format", "json")
    assert done.stderr == f"report: {directory}/measures.json\n"
    assert json.loads((directory / "measures.json").read_text())["about"]["name"] == "simulated"


def test_markdown_and_its_pictures_lie_where_they_are_wanted(report: Report, directory: Path) -> None:
    kept = (directory / "recording.jsonl.gz").rename(directory / "kept.jsonl.gz")
    report(kept, "--format", "md", "--output", directory / "deep" / "notes.md")
    assert {"notes.md", "notes.occupancy.svg"} <= {path.name for path in (directory / "deep").iterdir()}


def test_tables_are_a_directory(report: Report, directory: Path) -> None:
    report(directory, "--format", "csv")
    assert (directory / "tables" / "pods.csv").read_text().startswith("pod,gang,queue")


def test_one_document_can_go_to_stdout(report: Report, directory: Path) -> None:
    printed = report(directory, "--format", "json", "--output", "-").stdout
    assert json.loads(printed)["measures"]["pods.count"]["value"] == 30


def test_tables_cannot_go_to_stdout(report: Report, directory: Path) -> None:
    refused = report(directory, "--format", "csv", "--output", "-", check=2)
    assert "csv is a directory of tables" in refused.stderr


@pytest.mark.slow
def test_the_page_is_what_is_written_if_nothing_is_said(report: Report, directory: Path) -> None:
    report(directory)
    text = (directory / "report.html").read_text()
    assert text.startswith("<!doctype html>")
    assert text.endswith("</html>\n")


@pytest.mark.slow
def test_a_recording_that_was_cut_off_says_from_when_it_is_blind(report: Report, directory: Path) -> None:
    recording = write(directory / "recording.jsonl.gz", run_of(pods=8000, nodes=40, whole=False))
    recording.write_bytes(recording.read_bytes()[:-50])
    report(directory)
    page = (directory / "report.html").read_text()
    assert "Did not end" in page
    assert "the recording was cut off after" in page


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"", "is no recording of knavtool: it does not begin with a fact `recording`"),
        (b"plain text", "cannot be read as a recording: Not a gzipped file"),
        (gzip.compress(b'{"kind": "ResourcePatch"}\n', mtime=0), "is no recording of knavtool: line 1 is no fact"),
        (
            gzip.compress(b'{"fact": "recording", "at": 0, "format": 7, "began": ""}\n', mtime=0),
            "has format 7 of recordings",
        ),
    ],
)
def test_what_is_no_recording_is_refused_and_leaves_nothing(
    report: Report, tmp_path: Path, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "recording.jsonl.gz").write_bytes(content)
    refused = report(tmp_path, check=2)
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "report.html").exists()
