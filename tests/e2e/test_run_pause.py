"""Pause through `knavtool run`, with and without a terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from support.cli import SCRIPT
from support.programs import program
from support.workflows import task, write


@pytest.fixture(autouse=True)
def _helm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNAVTOOL_HELM_BINARY", str(program("helm")))


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """The side of somebody who types, and that of the program."""
    ends = pty.openpty()
    yield ends
    for end in ends:
        os.close(end)


def test_without_a_terminal_the_run_does_not_begin(
    knavtool: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    workflow = write(tmp_path, task("Sleep", timeout="1h"), task("Pause"))
    done = knavtool("run", workflow, check=2)
    assert "wf.yml:9:3: tasks[1].params: Pause waits for the Enter key, but there is no terminal" in done.stderr


@pytest.mark.cluster
def test_without_a_terminal_the_timeout_passes(
    control_plane: Any, knavtool: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    workflow = write(tmp_path, task("Pause", timeout="10ms"))
    done = knavtool("run", workflow, env=control_plane.environment)
    assert "continued after 0.01 s (no terminal)" in done.stderr


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("act", "code", "said"),
    [
        (lambda typist, _: os.write(typist, b"\n"), 0, "Enter was pressed"),
        (lambda typist, _: os.write(typist, b"\x04"), 0, "Enter was pressed"),
        (lambda _, process: process.send_signal(signal.SIGINT), 130, "interrupted"),
        (lambda _, process: process.send_signal(signal.SIGTERM), 130, "interrupted"),
    ],
    ids=["enter", "end of input", "SIGINT", "SIGTERM"],
)
def test_at_a_terminal(
    control_plane: Any, tmp_path: Path, terminal: tuple[int, int], act: Callable[..., Any], code: int, said: str
) -> None:
    typist, program_side = terminal
    with subprocess.Popen(
        [str(SCRIPT), "run", str(write(tmp_path, task("Pause", "hold")))],
        env=os.environ | dict(control_plane.environment),
        stdin=program_side,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        told = ""
        try:
            for line in process.stderr:
                told += line
                if "press Enter to go on" in line:
                    act(typist, process)
            assert process.wait(60) == code, told
        finally:
            process.kill()
    assert said in told
    assert "Traceback" not in told
