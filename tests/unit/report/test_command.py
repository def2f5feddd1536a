"""`knavtool report`, with made-up measures in the place of those of a recording."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer.main

from knavtool.cli.app import cli
from knavtool.errors import UsageError
from support import measured as made_up

Run = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command; returns what it prints."""
    asked: list[Path] = []

    def measure_file(path: Path) -> object:
        asked.append(path)
        return made_up.measured(pods=30, nodes=4)

    monkeypatch.setitem(sys.modules, "knavtool.measure.measuring", SimpleNamespace(measure_file=measure_file))

    def call(*arguments: str, of: Path) -> str:
        typer.main.get_command(cli)(["report", *arguments], standalone_mode=False)
        assert asked == [of]
        return capsys.readouterr().out

    return call


def test_a_directory_stands_for_its_recording(run: Run, tmp_path: Path) -> None:
    run(str(tmp_path), "--format", "json", of=tmp_path / "recording.jsonl.gz")
    assert json.loads((tmp_path / "measures.json").read_text())["about"]["name"] == "gang-scheduling"


def test_markdown_and_its_pictures_lie_where_they_are_wanted(run: Run, tmp_path: Path) -> None:
    recording = tmp_path / "kept.jsonl.gz"
    run(str(recording), "--format", "md", "--output", str(tmp_path / "deep" / "notes.md"), of=recording)
    names = {path.name for path in (tmp_path / "deep").iterdir()}
    assert {"notes.md", "notes.occupancy.svg"} <= names


def test_tables_are_a_directory(run: Run, tmp_path: Path) -> None:
    run(str(tmp_path), "--format", "csv", of=tmp_path / "recording.jsonl.gz")
    assert (tmp_path / "tables" / "pods.csv").read_text().startswith("pod,gang,queue")


def test_one_document_can_go_to_stdout(run: Run, tmp_path: Path) -> None:
    printed = run(str(tmp_path), "--format", "json", "--output", "-", of=tmp_path / "recording.jsonl.gz")
    assert json.loads(printed)["measures"]["pods.count"]["value"] == 30
    assert [path.name for path in tmp_path.iterdir() if path.name != "user"] == []


def test_tables_cannot_go_to_stdout(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="csv is a directory of tables"):
        run(str(tmp_path), "--format", "csv", "--output", "-", of=tmp_path)


@pytest.mark.slow
def test_the_page_is_what_is_written_if_nothing_is_said(run: Run, tmp_path: Path) -> None:
    run(str(tmp_path), of=tmp_path / "recording.jsonl.gz")
    text = (tmp_path / "report.html").read_text()
    assert text.startswith("<!doctype html>")
    assert text.endswith("</html>\n")
