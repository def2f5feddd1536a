"""The summary in Markdown, read by a Markdown parser that is not ours."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

from knavtool.events import Result
from knavtool.report import markdown_file
from knavtool.report.recorder import Recorder
from knavtool.report.write import ReportFiles
from support.runs import MISMATCH, Clock, record_everything, record_run, stepping

if TYPE_CHECKING:
    from pathlib import Path

NASTY = ["a | b", "`code`", "<script>alert(1)</script>", "*bold* _it_", "[x](y)", "a\\|b", "&amp;", "</pre></details>"]


def cells(markdown: str) -> list[list[str]]:
    """The cells of the table, as a reader sees them."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown)
    rows: list[list[str]] = []
    for index, token in enumerate(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("td_open", "th_open"):
            children = tokens[index + 1].children or []
            assert all(child.type in ("text", "text_special") for child in children), children
            rows[-1].append("".join(child.content for child in children))
    return rows


def test_a_reader_sees_the_table_and_the_details() -> None:
    markdown = markdown_file.document(record_run().record)
    rows = cells(markdown)
    assert rows[0] == ["result", "task", "type", "duration", "outcome"]
    assert ["❌ failed", "\u2003check", "CheckObj", "3.0s", "Job default/job-1: 1 field differs ..."] in rows
    assert f"<pre>\n{MISMATCH}\n</pre>" in markdown
    assert markdown.startswith("## ❌ run: failed\n")


@pytest.mark.parametrize("text", NASTY)
def test_nothing_a_program_said_becomes_markup(text: str) -> None:
    recorder = Recorder()
    with (
        stepping(recorder, Clock()).step("run", text) as run,
        run.nested().step("workflow", text, data={"description": text}) as workflow,
    ):
        with workflow.nested().step("task", text, "CheckObj") as task:
            task.result, task.message = Result.FAILED, f"{text}\n\n{text}"
        workflow.result = run.result = Result.FAILED
    markdown = markdown_file.document(recorder.record)
    assert cells(markdown)[-1] == ["❌ failed", text, "CheckObj", "0ms", f"{text} ..."]
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    assert html.count("<pre>") == html.count("</pre>") == html.count("</details>") == 1
    assert "<script" not in html
    assert "<code" not in html


def test_descriptions_are_in_it() -> None:
    assert "**mixed**: All that a workflow can hold" in markdown_file.document(record_everything().record)


def test_it_stays_below_what_github_takes() -> None:
    recorder = Recorder()
    with stepping(recorder, Clock()).step("run", "run") as run:
        with run.nested().step("workflow", "w") as workflow:
            for number in range(3000):
                with workflow.nested().step("task", f"t{number}", "CheckObj") as task:
                    task.result, task.message = Result.FAILED, "ä" * 30_000
        run.result = Result.FAILED
    markdown = markdown_file.document(recorder.record)
    assert len(markdown.encode()) < 2**20
    assert "more failures, which the other reports hold" in markdown


def test_the_step_summary_is_added_to(tmp_path: Path) -> None:
    file = tmp_path / "summary"
    file.write_text("# of an earlier step\n")
    recorder = record_run()
    for _ in range(2):
        ReportFiles(step_summary=file).write(recorder.record, epoch=0.0)
    content = file.read_text()
    assert content.startswith("# of an earlier step\n\n## ")
    assert content.count("## ❌ run: failed") == 2


def test_each_file_that_was_asked_for_is_written_and_named(tmp_path: Path) -> None:
    files = ReportFiles(
        directory=tmp_path / "all",
        json=tmp_path / "a" / "r.json",
        junit=tmp_path / "r.xml",
        markdown=tmp_path / "r.md",
    )
    files.check()
    written, failed = files.write(record_run().record, epoch=0.0)
    assert (len(written), failed) == (6, [])
    assert all(path.stat().st_size for path in written)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_step_summary_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "summary"
    file.touch(mode=0o444)
    written, failed = ReportFiles(step_summary=file).write(record_run().record, epoch=0.0)
    assert (written, [str(error) for error in failed]) == ([], [f"cannot add the summary to {file}: Permission denied"])
