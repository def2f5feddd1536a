from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from knavtool import resources
from knavtool.documents.yaml import load_rendered
from support.programs import program

Cli = Callable[..., CompletedProcess[str]]
EXAMPLE = resources.chart("virtual-nodes") / "values-example.yaml"


@pytest.fixture
def cli(knavtool: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line with this machine's Helm, and a cluster that must not be asked."""
    monkeypatch.setenv("KNAVTOOL_HELM_BINARY", str(program("helm")))
    monkeypatch.setenv("KUBECONFIG", "/nonexistent/kubeconfig")
    return knavtool


def test_manifests_go_to_stdout_and_talk_to_stderr(cli: Cli) -> None:
    done = cli("nodes", "render", "-f", EXAMPLE)
    nodes = load_rendered(done.stdout)
    assert [node["metadata"]["name"] for node in nodes][:2] == ["virtual-dgxa100.80g-0", "virtual-dgxa100.80g-1"]
    assert {node["kind"] for node in nodes} == {"Node"}
    assert done.stdout == cli("nodes", "render", "-f", EXAMPLE).stdout


def test_each_format_writes_its_files(cli: Cli, tmp_path: Path) -> None:
    written = {}
    for form in ("manifests", "chart", "kustomize"):
        done = cli("nodes", "render", "-f", EXAMPLE, "--format", form, "--output-dir", tmp_path / form)
        assert done.stdout == ""
        written[form] = {
            str(path.relative_to(tmp_path / form)) for path in (tmp_path / form).rglob("*") if path.is_file()
        }
    assert written["manifests"] == {"nodes.yaml"}
    assert written["kustomize"] == {"nodes.yaml", "kustomization.yaml"}
    assert {"Chart.yaml", "values.yaml", "values.schema.json", "presets.yaml", "templates/nodes.yaml"} <= written[
        "chart"
    ]
    assert cli("nodes", "render", "-f", tmp_path / "chart" / "values.yaml").stdout == (
        (tmp_path / "manifests" / "nodes.yaml").read_text(encoding="utf-8")
    )


def test_thousands_of_nodes_are_written(cli: Cli, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text("nodes:\n- {type: dgxh200, count: 10000}\n")
    done = cli("nodes", "render", "-f", values)
    assert done.stdout.count("\nkind: Node\n") == 10_000
    assert "  name: virtual-dgxh200-9999\n" in done.stdout


@pytest.mark.parametrize(
    ("values", "code", "message"),
    [
        ("nodes:\n- {type: mystery, count: 1}\n", 2, "values.yaml:2:4: nodes[0].type: 'mystery' is no preset"),
        ("nodes:\n- {type: dgxh200, count: -1}\n", 2, "values.yaml:2:"),
        ("nodes: [\n", 2, "values.yaml:"),
    ],
)
def test_bad_values_are_told_with_their_place(cli: Cli, tmp_path: Path, values: str, code: int, message: str) -> None:
    path = tmp_path / "values.yaml"
    path.write_text(values)
    done = cli("nodes", "render", "-f", path, check=code)
    assert message in done.stderr
    assert done.stdout == ""


def test_formats_of_several_files_need_a_directory(cli: Cli) -> None:
    assert "--output-dir" in cli("nodes", "render", "-f", EXAMPLE, "--format", "chart", check=2).stderr


def test_a_missing_file_is_named(cli: Cli, tmp_path: Path) -> None:
    assert "no-such.yaml: no such file" in cli("nodes", "render", "-f", tmp_path / "no-such.yaml", check=2).stderr


def test_a_directory_that_cannot_be_written_is_named(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = cli("nodes", "render", "-f", EXAMPLE, "--output-dir", tmp_path / "file", check=2)
    assert "cannot be written" in done.stderr
