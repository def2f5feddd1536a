"""`knavtool run` without a cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from support.programs import program
from support.workflows import register, submit, task, write

Cli = Callable[..., CompletedProcess[str]]


@pytest.fixture
def cli(knavtool: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """The command line with this machine's Helm, and a kubeconfig of a server that is not there."""
    monkeypatch.setenv("KNAVTOOL_HELM_BINARY", str(program("helm")))
    config = tmp_path / "kubeconfig"
    config.write_text(
        "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],"
        " clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}], users: [{name: u, user: {}}]}"
    )
    monkeypatch.setenv("KUBECONFIG", str(config))
    return knavtool


def test_a_missing_file(cli: Cli) -> None:
    assert "error: nowhere.yml: no such file" in cli("run", "nowhere.yml", check=2).stderr


def test_no_file_at_all(cli: Cli) -> None:
    assert "Missing argument" in cli("run", check=2).stderr


def test_not_yaml(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_text("a: [1\nb: 2\n")
    assert f"error: {tmp_path}/x.yml:2:2: not YAML" in cli("run", tmp_path / "x.yml", check=2).stderr


def test_an_unknown_task_type_names_the_nearest(cli: Cli, tmp_path: Path) -> None:
    done = cli("run", write(tmp_path, task("SubmitObject", "s")), check=2)
    assert "did you mean 'SubmitObj'?" in done.stderr


def test_an_unreachable_server(cli: Cli, tmp_path: Path) -> None:
    done = cli("run", write(tmp_path, task("Sleep", timeout="1ms")), check=5)
    assert "http://127.0.0.1:9" in done.stderr


def test_a_dry_run_needs_no_server(cli: Cli, tmp_path: Path) -> None:
    done = cli("run", write(tmp_path, register(), submit(count=2)), "--dry-run")
    assert done.stdout.count("kind: Job") == 2


def test_a_report_that_cannot_be_written_is_told_before_the_run(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = cli("run", write(tmp_path, task("Sleep", timeout="1ms")), "--report", tmp_path / "file", check=2)
    assert "cannot write reports" in done.stderr


def test_a_timeout_that_is_none(cli: Cli, tmp_path: Path) -> None:
    done = cli("run", write(tmp_path, task("Sleep", timeout="1ms")), "--cleanup-timeout", "5", check=2)
    assert "'5' is not a duration" in done.stderr
