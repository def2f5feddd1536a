"""The schemas in an editor: what the real YAML language server says about our files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from knavtool import resources
from support.language_server import LanguageServer, installed, language_server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("editor")]

WORKFLOWS = sorted((resources.data_directory() / "workflows").rglob("*.y*ml"))
FILES = [file for file in WORKFLOWS if file.parent.name != "templates"]
HEAD = f"# yaml-language-server: $schema={resources.schema('workflow')}\n"


@pytest.fixture(scope="module")
def editor() -> Iterator[LanguageServer]:
    program = installed()
    if program is None:
        assert not os.environ.get("CI"), "npm is needed for the tests of the schemas in an editor"
        pytest.skip("npm is not there to install the language server")
    with language_server(program) as server:
        yield server


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_shipped_workflows_have_no_faults(editor: LanguageServer, file: Path) -> None:
    assert editor.diagnostics(editor.open(file)) == []


EVERYTHING = """\
name: everything
variables:
  n: 2
  sizes: [1, 2]
  must: null
tasks:
- id: submit
  type: SubmitObj
  foreach: {size: "${sizes}"}
  timeout: ${limit}
  continueOnError: true
  params: {refTaskId: r, count: "${size}", canExist: "${yes}", params: "${params}"}
- id: both
  type: Parallel
  params:
    tasks:
    - {id: a, type: Pause, params: {timeout: 1s}}
    - id: b
      type: Repeat
      params:
        count: ${n}
        tasks:
        - {id: c, type: CheckPlacement, params: {refTaskId: submit, allOrNothing: true, topologyKey: rack, timeout: 5s}}
- id: nodes
  type: Configure
  params:
    timeout: 1m
    nodes: [{type: dgxh100.80g, count: "${n}"}]
- id: metric
  type: CheckMetric
  params: {query: up, op: "==", value: 1, for: 2s, timeout: 10s}
"""


def test_a_file_with_everything_has_no_faults(editor: LanguageServer, tmp_path: Path) -> None:
    assert editor.diagnostics(editor.open(tmp_path / "w.yml", HEAD + EVERYTHING)) == []


@pytest.mark.parametrize(
    ("task", "line", "word"),
    [
        ("{id: a, type: Sleep, params: {timeout: 1s, longer: 2}}", 1, "longer"),
        ("{id: a, type: Sleep, params: {timeout: 5}}", 1, "Incorrect type"),
        ("{id: a, type: Sleep, params: {timeout: soon}}", 1, "does not match"),
        ("{id: a, type: Slep}", 1, "Value is not accepted"),
        ("{type: Sleep, params: {timeout: 1s}}", 1, '"id"'),
        ("{id: a, type: SubmitObj, params: {refTaskId: r, count: many}}", 1, ""),
        ("\n  id: a\n  type: CheckPod\n  params:\n    refTaskId: r\n    status: Runing", 6, ""),
        ("\n  id: a\n  type: Parallel\n  params:\n    tasks:\n    - {id: b, type: Sleep, params: {}}", 6, "timeout"),
    ],
)
def test_faults_are_shown_at_their_lines(
    editor: LanguageServer, tmp_path: Path, task: str, line: int, word: str
) -> None:
    found = editor.diagnostics(editor.open(tmp_path / "w.yml", f"{HEAD}tasks:\n- {task}\n"))
    assert any(at == line + 2 and word in message for at, message in found), found


def test_completion(editor: LanguageServer, tmp_path: Path) -> None:
    text = (
        f"{HEAD}tasks:\n- id: a\n  type: CheckPod\n  params:\n    refTaskId: r\n    status: \n    \n- id: b\n  type: \n"
    )
    uri = editor.open(tmp_path / "w.yml", text)
    types = json.loads(resources.schema("workflow").read_text())["$defs"]["task"]["properties"]["type"]["enum"]
    assert set(types) <= editor.completions(uri, 10, 9)
    assert {"Pending", "Running", "Succeeded"} <= editor.completions(uri, 7, 13)
    assert {"nodeLabels", "timeout"} <= editor.completions(uri, 8, 5)
    assert "selectors" not in editor.completions(uri, 8, 5)


def test_hover(editor: LanguageServer, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "w.yml", HEAD + EVERYTHING)
    assert "runs once for each item of a list" in editor.hover(uri, 10, 5)


def test_the_schema_of_values(editor: LanguageServer, tmp_path: Path) -> None:
    head = f"# yaml-language-server: $schema={resources.schema('values')}\n"
    good = (resources.chart("virtual-nodes") / "values-example.yaml").read_text()
    assert editor.diagnostics(editor.open(tmp_path / "good.yaml", head + good)) == []
    uri = editor.open(tmp_path / "bad.yaml", head + "nodes:\n- type: dgxh100.80g\n  count: -1\n  lables: {}\n")
    assert [line for line, _ in editor.diagnostics(uri)] == [4, 5]
