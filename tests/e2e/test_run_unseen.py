"""`knavtool run --cleanup` that nobody watches any more: it cleans up, reports, and returns what the run says."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from support.cli import SCRIPT
from support.run_cluster import RunCluster
from support.workflows import task

pytestmark = [pytest.mark.cluster]


@pytest.mark.parametrize(
    ("unseen", "fails"),
    [
        ("2>/dev/full", False),
        ("2>&-", False),
        ("--log-format json 2>/dev/full", True),
        *((f"2>&1 | head -n {lines}", bool(lines % 2)) for lines in (0, 1, 2, 3, 5, 8)),
    ],
)
def test_progress_that_cannot_be_written_changes_nothing(run_cluster: RunCluster, unseen: str, fails: bool) -> None:
    last = task("CheckObj", refTaskId="job", state={"spec": {"suspend": fails}})
    workflow = run_cluster.write(run_cluster.submit(count=3), last)
    redirection, _, pipe = unseen.partition(" | ")
    options, _, redirection = redirection.rpartition(" ")
    line = f"{SCRIPT} {options} run {workflow} --cleanup --report report {redirection}"
    line = f"{line} | {pipe}; exit ${{PIPESTATUS[0]}}" if pipe else line
    done = subprocess.run(["bash", "-c", line], cwd=run_cluster.directory, check=False, capture_output=True, text=True)
    assert done.returncode == int(fails), done
    assert run_cluster.left() == {}
    report = json.loads((run_cluster.directory / "report" / "report.json").read_text())
    assert report["result"] == ("failed" if fails else "ok")
    steps = {step["kind"]: step["result"] for step in report["run"]["steps"]}
    assert steps == {"workflow": report["result"], "cleanup": "ok"}


@pytest.mark.parametrize("term", ["dumb", "xterm-256color"])
def test_a_terminal_that_is_closed_interrupts_the_run(run_cluster: RunCluster, term: str, tmp_path: Path) -> None:
    workflow = run_cluster.write(run_cluster.submit(count=20), task("Sleep", "rest", timeout="1h"))
    screen, terminal = pty.openpty()
    with subprocess.Popen(
        # The session that owns the terminal, as a shell's job or what ssh started; these tests may run under nohup.
        [
            *("env", "--default-signal=HUP", "setsid", "--ctty"),
            *(str(SCRIPT), "run", str(workflow), "--cleanup", "--report", str(tmp_path / "report")),
        ],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=os.environ | {"TERM": term},
    ) as process:
        try:
            os.close(terminal)
            shown = b""
            # The line of the submission, or in the live tree that of what comes after it.
            while (b"job (SubmitObj)" if term == "dumb" else b"rest") not in shown:
                shown += os.read(screen, 4096)
            os.close(screen)
            assert process.wait(60) == 130
        finally:
            process.kill()
    assert run_cluster.left() == {}
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["result"] == "cancelled"
    assert [step["result"] for step in report["run"]["steps"]] == ["cancelled", "ok"]


def test_a_signal_to_the_process_and_its_group_is_one_interruption(run_cluster: RunCluster) -> None:
    """As `timeout` sends it."""
    workflow = run_cluster.write(run_cluster.submit(count=20), task("Sleep", "rest", timeout="1h"))
    command = [str(SCRIPT), "run", str(workflow), "--cleanup"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        said = ""
        try:
            for line in process.stderr:
                said += line
                if "job (SubmitObj)" in line and "ok" in line:
                    process.send_signal(signal.SIGTERM)
                    os.killpg(process.pid, signal.SIGTERM)
            assert process.wait(60) == 130, said
        finally:
            process.kill()
    assert "the cleanup was interrupted" not in said
    assert run_cluster.left() == {}


def test_a_disk_that_is_full_when_the_report_is_written(run_cluster: RunCluster) -> None:
    """Only what could not be written is missing; a run that went well ends with 74, any other as it did."""
    directory = run_cluster.directory
    reports = ("--json", "/dev/full", "--junit", directory / "junit.xml")
    for suspend, code in ((False, 74), (True, 1)):
        check = task("CheckObj", refTaskId="job", state={"spec": {"suspend": suspend}})
        workflow = run_cluster.write(run_cluster.submit(), check)
        done = run_cluster.run("run", workflow, "--cleanup", *reports, check=code)
        said = "error: " if code == 74 else "warning: "
        assert f"{said}cannot write the report /dev/full: No space left on device" in done.stderr
        assert f"reports: {directory}/junit.xml" in done.stderr
        assert run_cluster.left() == {}
