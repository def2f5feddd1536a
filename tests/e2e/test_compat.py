"""Files as people wrote them for Knavigator, from the command line to the objects."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from support.old_files import JOB, REGISTER, SETUP, SUBMIT
from support.programs import program

Cli = Callable[..., CompletedProcess[str]]


@pytest.fixture
def run(knavtool: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """The command line, in the directory of the files."""
    monkeypatch.setenv("KNAVTOOL_HELM_BINARY", str(program("helm")))
    return partial(knavtool, cwd=tmp_path)


def objects(done: CompletedProcess[str]) -> list[dict[str, Any]]:
    """What a dry run would send."""
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def test_what_old_templates_give(run: Cli, tmp_path: Path) -> None:
    (tmp_path / "job.yml").write_bytes(f"---\r\n{JOB}".replace("\n", "\r\n").encode())
    given = "ttl: , labels: {b: 1.0, a: true, c: yes}"
    (tmp_path / "wf.yml").write_text("tasks:\n" + SETUP.replace("labels: {}", given))
    (job,) = objects(run("run", "wf.yml", "--dry-run"))
    assert job["metadata"] == {
        "name": "job1",
        "namespace": "default",
        "labels": {"number": "2", "a": "true", "b": "1", "c": "yes"},
    }
    assert job["spec"] == {"parallelism": 2}


@pytest.mark.parametrize(
    "files", ["a/1.yml,a/2.yml", " a/1.yml , a/2.yml", "a/{1,2}.yml", "{b,a}/{1,2}.yml", "{b/1.yml,a}", "a", "./{a}"]
)
def test_one_file_registers_what_another_submits(run: Cli, tmp_path: Path, files: str) -> None:
    sleep = "- {id: s, type: Sleep, params: {timeout: 1s}}\n"
    for name, tasks in (("a/1", REGISTER), ("a/2", SUBMIT), ("b/1", sleep), ("b/2", sleep)):
        path = tmp_path / f"{name}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"tasks:\n{tasks}")
    (tmp_path / "job.yml").write_text(JOB)
    assert [job["metadata"]["name"] for job in objects(run("run", files, "--dry-run"))] == ["job1"]


def test_what_knavigator_takes_without_a_word(run: Cli, tmp_path: Path) -> None:
    """Each is a line of its own: an error without --compat, a warning with it."""
    setup = (
        SETUP.replace("[0-9]", r"\\d+")
        .replace("labels: {}", "labels: {}, x: 1")
        .replace("replicas: 2", "replicas: 2.0")
    )
    (tmp_path / "job.yml").write_text(JOB + "# {{.gpu}}\n")
    (tmp_path / "wf.yml").write_text(
        "owner: me\ntasks:\n"
        + setup.replace("register, ", "register, count: 2, ")
        + "- {id: c, type: CheckPod, params: {refTaskId: job, status: Running, timeout: -1s}}\n"
        + "- {id: o, type: CheckObj, params: {refTaskId: job, state: {kind: Job}, index: 0.5}}\n"
        + "- {id: p, type: Pause, params: {message: look}}\n"
    )
    words = ("unknown field 'owner'", "{{.gpu}}", "0.5", "timeout", "unknown field 'message'")
    for done in (
        run("validate", "wf.yml", check=2),
        run("run", "wf.yml", "--dry-run", check=2),
        run("run", "wf.yml", "--dry-run", "--compat"),
    ):
        lines = [line for line in done.stderr.splitlines() if "wf.yml:" in line]
        assert len(lines) == len(words), done.stderr
        assert all(any(word in line for line in lines) for word in words), done.stderr
    assert all("warning: " in line for line in lines)
    assert [job["metadata"]["name"] for job in objects(done)] == ["job1", "job2"]
