"""Standard streams that are closed, full, or read by nobody."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.cli import SCRIPT

LISTS = ("components list", "components list -o json", "schema workflow", "--help", "run --help")


def shell(line: str, *, directory: Path) -> tuple[int, str, str]:
    """Run a line of the shell; `K` is the command. Returns the exit code, stdout, stderr."""
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; K={SCRIPT}; {line}"],
        capture_output=True,
        text=True,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", LISTS)
def test_a_reader_that_has_had_enough_is_141_and_nothing_is_said(command: str, tmp_path: Path) -> None:
    # The pipe has no reader any more when the command begins.
    assert shell(f"(sleep 0.1; exec $K {command}) | true", directory=tmp_path) == (141, "", "")


@pytest.mark.parametrize("command", LISTS)
def test_a_full_disk_behind_stdout_is_74(command: str, tmp_path: Path) -> None:
    code, _, err = shell(f"$K {command} >/dev/full", directory=tmp_path)
    assert (code, err) == (74, "error: cannot write to stdout: No space left on device\n")


ALL = "<&- >&- 2>&-"


@pytest.mark.parametrize(
    ("command", "code", "closed"),
    [
        ("components list", 0, "<&-"),
        ("components list", 0, ">&-"),
        ("components list", 0, "2>&-"),
        ("toolchain list", 0, ALL),
        ("cluster down --name nothing", 0, ">&-"),
        ("validate nowhere.yml", 2, ALL),
        ("nodes list --kubeconfig nowhere", 2, "2>&-"),
        ("serve --listen 127.0.0.1:0 --kubeconfig nowhere", 2, "<&-"),
        ("serve --listen 127.0.0.1:0 --kubeconfig nowhere", 2, ALL),
        ("nodes list --nonsense", 2, ALL),
    ],
)
def test_a_stream_that_is_closed_is_like_one_that_nobody_looks_at(
    command: str, code: int, closed: str, tmp_path: Path
) -> None:
    kept = "KNAVTOOL_HELM_BINARY=/bin/true "
    code_then, out, err = shell(f"{kept} $K {command} </dev/null", directory=tmp_path)
    assert code_then == code, err
    out = "" if " >&-" in f" {closed}" else out
    err = "" if "2>&-" in closed else err
    assert shell(f"{kept} $K {command} {closed}", directory=tmp_path) == (code, out, err)


@pytest.mark.parametrize("closed", [">&- 2>&-", "2>/dev/full"])
def test_what_cannot_be_said_changes_no_exit_code(closed: str, tmp_path: Path) -> None:
    assert shell(f"$K validate nowhere.yml {closed}", directory=tmp_path)[0] == 2
    assert shell(f"$K nodes list --nonsense {closed}", directory=tmp_path)[0] == 2
