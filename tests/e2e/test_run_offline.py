"""`knavtool run` without a cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from knavtool import resources
from support import golden
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


def test_a_dry_run_prints_the_plan_and_all_that_it_sends(cli: Cli) -> None:
    done = cli("run", "workflows/jobset/test-jobset.yml", "--dry-run", cwd=resources.data_directory())
    golden.check("run/jobset.yaml", done.stdout)


def test_a_report_that_cannot_be_written_is_told_before_the_run(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = cli("run", write(tmp_path, task("Sleep", timeout="1ms")), "--report", tmp_path / "file", check=2)
    assert "cannot write reports" in done.stderr


def test_a_dry_run_makes_no_directory_for_a_report(cli: Cli, tmp_path: Path) -> None:
    cli("run", write(tmp_path, task("Sleep", timeout="1ms")), "--dry-run", "--report", tmp_path / "out")
    cli("run", write(tmp_path, task("Sleep", timeout="1h", typo=1)), "--report", tmp_path / "out", check=2)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("command", "option", "text"),
    [
        (("run", "wf.yml", "--cleanup"), "--cleanup-timeout", "0"),
        (("run", "wf.yml", "--cleanup"), "--cleanup-timeout", "-5s"),
        (("nodes", "apply", "-f", "values.yaml"), "--timeout", "0s"),
        (("cluster", "up"), "--timeout", "0"),
        (("cluster", "up", "--engine", "existing"), "--timeout", "-1s"),
        (("cluster", "down", "--engine", "existing"), "--timeout", "0"),
        (("serve",), "--body-timeout", "0"),
        (("serve",), "--drain", "-1s"),
    ],
)
def test_time_that_nothing_can_be_done_in_is_refused(
    cli: Cli, tmp_path: Path, command: tuple[str, ...], option: str, text: str
) -> None:
    write(tmp_path, task("Sleep", timeout="1ms"))
    (tmp_path / "values.yaml").write_text("nodes: [{type: cpu.x86, count: 1, resources: {cpu: 1}}]")
    done = cli(
        *(str(tmp_path / word) if word.endswith(("yml", "yaml")) else word for word in command), option, text, check=2
    )
    assert f"error: {option} {text}: must " in done.stderr


def test_a_timeout_that_is_none(cli: Cli, tmp_path: Path) -> None:
    done = cli("run", write(tmp_path, task("Sleep", timeout="1ms")), "--cleanup-timeout", "5", check=2)
    assert "--cleanup-timeout: '5' is not a duration" in done.stderr
