"""`knavtool validate` and `knavtool schema` as a user calls them."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from knavtool import resources
from knavtool.errors import ExitCode
from knavtool.workflow.tasks import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import CompletedProcess

VALUES = "nodes:\n- {type: gb200, count: 2}\n"
WORKFLOW = "tasks:\n- {id: a, type: Sleep, params: {timeout: 1s}}\n"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The directory in which the command runs."""
    return tmp_path / "work"


def test_good_files(knavtool: Callable[..., CompletedProcess[str]], work: Path) -> None:
    (work / "v.yaml").write_text(VALUES)
    (work / "w.yml").write_text(WORKFLOW)
    done = knavtool("validate", "v.yaml", "w.yml")
    assert (done.stdout, done.stderr) == ("", "v.yaml: ok\nw.yml: ok\n")


def test_all_faults_of_all_files(knavtool: Callable[..., CompletedProcess[str]], work: Path) -> None:
    (work / "v.yaml").write_text("nodes:\n- {type: gb200, count: -1}\n- {type: gb200, lables: {}, count: 1}\n")
    (work / "w.yml").write_text("tasks:\n- {id: a, type: Sleep, params: {timeout: 5}}\n- {id: b, type: Slep}\n")
    (work / "good.yml").write_text(WORKFLOW)
    (work / "broken.yml").write_text("tasks: [\n")
    done = knavtool("validate", "v.yaml", "good.yml,w.yml", "gone.yml", "broken.yml", check=ExitCode.BAD_INPUT)
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "gone.yml: no such file; did you mean 'good.yml'?",
        "v.yaml:2:17: nodes[0].count: -1 is out of range; expected at least 0",
        "v.yaml:3:17: nodes[1].lables: unknown field 'lables'; did you mean 'labels'?",
        "w.yml:2:33: tasks[0].params.timeout: expected a number with a unit, like 300ms, 5s, 1m30s or 2h, got 5",
        f"w.yml:3:11: tasks[1].type: 'Slep' is not one of {', '.join(TYPES)}; did you mean 'Sleep'?",
        "broken.yml:2:1: not YAML: while parsing a flow node expected the node content, but found '<stream end>'",
        "good.yml: ok",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "node: []\n",
            (
                "or a values file (with the field 'nodes') or a cluster file (with the field 'components') "
                "or a bench file (with the field 'contenders'); did you"
            ),
        ),
        ("- a\n", "expected a workflow (with the field 'tasks') or a values file (with the field 'nodes') or"),
        ("", "the file is empty"),
        ("\x00", "the character U+0000 is not allowed"),
    ],
)
def test_what_is_neither(text: str, said: str, knavtool: Callable[..., CompletedProcess[str]], work: Path) -> None:
    (work / "x.yaml").write_text(text)
    done = knavtool("validate", "x.yaml", check=ExitCode.BAD_INPUT)
    assert done.stderr.startswith("x.yaml:1:1: ")
    assert said in done.stderr


@pytest.mark.parametrize("argument", ["{a", "a}", "{a,{b}}", "", "empty"])
def test_paths_that_cannot_be_used(argument: str, knavtool: Callable[..., CompletedProcess[str]], work: Path) -> None:
    (work / "empty").mkdir()
    done = knavtool("validate", argument, check=ExitCode.BAD_INPUT)
    assert len(done.stderr.splitlines()) == 1
    assert argument in done.stderr


def test_directories_and_braces(knavtool: Callable[..., CompletedProcess[str]], work: Path) -> None:
    for name in ("b.yml", "a.yaml", "no.txt"):
        (work / name).write_text(WORKFLOW)
    assert knavtool("validate", ".").stderr == "a.yaml: ok\nb.yml: ok\n"
    assert knavtool("validate", "{b.yml,a.yaml}").stderr == "b.yml: ok\na.yaml: ok\n"
    assert knavtool("validate", "b.yml", "b.yml,.").stderr == "b.yml: ok\na.yaml: ok\n", "each file once"


def test_a_pipe_is_read_once(knavtool: Callable[..., CompletedProcess[str]], work: Path) -> None:
    pipe = work / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(VALUES,), daemon=True)
    writer.start()
    assert knavtool("validate", "pipe", timeout=30).stderr == "pipe: ok\n"
    writer.join(timeout=10)


def test_shipped_files_are_valid(knavtool: Callable[..., CompletedProcess[str]]) -> None:
    files = [resources.chart("virtual-nodes") / "values-example.yaml"]
    files += sorted((resources.data_directory() / "workflows").glob("*/*.yml"))
    assert knavtool("validate", *files).stderr.splitlines() == [f"{file}: ok" for file in files]


def test_no_file_is_a_wrong_command_line(knavtool: Callable[..., CompletedProcess[str]]) -> None:
    assert "FILE" in knavtool("validate", check=ExitCode.BAD_INPUT).stderr


@pytest.mark.parametrize("name", ["values", "workflow", "report", "recording"])
def test_schemas_are_printed(name: str, knavtool: Callable[..., CompletedProcess[str]]) -> None:
    done = knavtool("schema", name)
    assert done.stderr == ""
    assert json.loads(done.stdout) == json.loads(resources.schema(name).read_text(encoding="utf-8"))


def test_an_editor_accepts_what_the_tool_accepts(knavtool: Callable[..., CompletedProcess[str]]) -> None:
    """The schemas are of use to other programs, which do not bring documents into their normal form first."""
    from jsonschema import Draft202012Validator

    def complaints(name: str, file: Path) -> list[Any]:
        printed = json.loads(knavtool("schema", name).stdout)
        return list(Draft202012Validator(printed).iter_errors(yaml.safe_load(file.read_text())))

    assert complaints("values", resources.chart("virtual-nodes") / "values-example.yaml") == []
    for file in (resources.data_directory() / "workflows").glob("*/*.yml"):
        assert complaints("workflow", file) == []


def test_an_unknown_schema(knavtool: Callable[..., CompletedProcess[str]]) -> None:
    done = knavtool("schema", "nonsense", check=ExitCode.BAD_INPUT)
    assert "values" in done.stderr
    assert done.stdout == ""


def test_compat_makes_warnings_of_what_run_would_take(
    knavtool: Callable[..., CompletedProcess[str]], work: Path
) -> None:
    (work / "w.yml").write_text("tasks:\n- {id: a, type: Sleep, params: {timeout: 1s, why: x}}\n")
    (work / "bad.yml").write_text("tasks:\n- {id: a, type: Sleep, params: {timeout: 5}}\n")
    said = "tasks[0].params.why: unknown field 'why'"
    assert knavtool("validate", "w.yml", check=ExitCode.BAD_INPUT).stderr.startswith(f"w.yml:2:46: {said}")
    warned, fine = knavtool("validate", "--compat", "w.yml").stderr.splitlines()
    assert warned.startswith("w.yml:2:46: warning: tasks[0].params.why: ")
    assert fine == "w.yml: ok"
    assert "bad.yml:2:33" in knavtool("validate", "--compat", "bad.yml", check=ExitCode.BAD_INPUT).stderr
