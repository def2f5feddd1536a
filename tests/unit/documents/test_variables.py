"""Variables of workflow files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from knavtool.documents.variables import Substitution, parse_settings
from knavtool.documents.workflow import ForEachDocument, TaskDocument, WorkflowDocument
from knavtool.documents.workflow_reader import load_workflows
from knavtool.errors import UsageError
from knavtool.workflow.registry import built_in


def loaded(directory: Path, text: str, **settings: Any) -> WorkflowDocument:
    file = directory / "w.yml"
    file.write_text(text)
    return load_workflows([file], built_in().documents, settings=settings)[0]


def faults(directory: Path, text: str, **settings: Any) -> list[str]:
    return [str(fault).removeprefix(f"{directory}/") for fault in loaded(directory, text, **settings).faults]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${n}", 4),
        ("x-${n}-${flag}", "x-4-true"),
        ("$${n}", "${n}"),
        ("$n ${ n } {n}", "$n ${ n } {n}"),
        ({"a": ["${list}"]}, {"a": [[1, 2]]}),
        (4, 4),
        (None, None),
    ],
)
def test_references_get_values(text: Any, expected: Any) -> None:
    substitution = Substitution({"n": 4, "flag": True, "list": [1, 2]})
    assert substitution.put(text) == expected
    assert substitution.whole
    assert substitution.wrong == []


def test_without_variables_nothing_is_touched() -> None:
    assert Substitution({}).put("echo ${HOME} $${x}") == "echo ${HOME} $${x}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [("n=4", 4), ("n=[1, 2]", [1, 2]), ("n=a=b", "a=b"), ("n=", ""), ("n=yes", "yes"), ("n={a: 1}", {"a": 1})],
)
def test_settings_are_yaml(given: str, expected: Any) -> None:
    assert parse_settings([given]) == {"n": expected}


@pytest.mark.parametrize("given", ["n", "=1", "1n=2", "a-b=1", "n=[", "n='", "n=#fff"])
def test_bad_settings(given: str) -> None:
    with pytest.raises(UsageError, match="--set"):
        parse_settings([given])


def test_a_setting_that_is_a_comment_for_yaml() -> None:
    with pytest.raises(UsageError, match="for YAML the value is a comment") as caught:
        parse_settings(["color=#fff"])
    assert caught.value.hint == """put it into quotes: --set 'color="#fff"'"""
    assert parse_settings(['color="#fff"', "none=null"]) == {"color": "#fff", "none": None}


TEXT = """\
variables: {n: 2, wait: 1s, must: 1}
tasks:
- id: many
  type: SubmitObj
  timeout: ${wait}
  params: {refTaskId: r, count: "${n}", params: {a: "${n} GPUs", all: "${must}"}}
"""


def test_defaults_and_settings(tmp_path: Path) -> None:
    (task,) = loaded(tmp_path, TEXT, n=3).tasks
    assert isinstance(task, TaskDocument)
    assert task.params == {"refTaskId": "r", "count": 3, "params": {"a": "3 GPUs", "all": 1}}
    assert task.timeout == 1.0


def test_a_setting_that_no_file_knows(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--set wiat: no such variable; did you mean 'wait'"):
        loaded(tmp_path, TEXT, wiat="2s")
    with pytest.raises(UsageError, match="the workflow has no variables"):
        loaded(tmp_path, "tasks: [{id: a, type: Pause}]", n=1)


def test_a_variable_without_a_value(tmp_path: Path) -> None:
    text = TEXT.replace("n: 2", "n: null")
    assert faults(tmp_path, text) == [
        "w.yml:1:13: variables.n: the variable has no value; give it one here or with --set n=VALUE"
    ]
    assert faults(tmp_path, text, n=1) == []


def test_faults_of_references(tmp_path: Path) -> None:
    text = TEXT.replace("${n} GPUs", "${m} GPUs")
    (fault,) = faults(tmp_path, text)
    assert fault.startswith("w.yml:6:50: tasks[0].params.params.a: unknown variable 'm'; there are: n, wait, must;")
    (fault,) = faults(tmp_path, TEXT, n=[1])
    assert "the variable 'n' is no text; ${n} must stand alone" in fault


def test_values_are_checked_where_they_stand(tmp_path: Path) -> None:
    assert faults(tmp_path, TEXT, n="many") == [
        "w.yml:6:26: tasks[0].params.count: expected a whole number, got text 'many'"
    ]


LOOP = """\
variables: {sizes: [1, 2]}
tasks:
- id: submit-${size}
  type: SubmitObj
  foreach: {size: "${sizes}"}
  params: {refTaskId: r, count: "${size}"}
"""


def test_foreach_gives_one_task_per_item(tmp_path: Path) -> None:
    (loop,) = loaded(tmp_path, LOOP).tasks
    assert isinstance(loop, ForEachDocument)
    assert [(title, task.id, task.params["count"]) for title, task in loop.rounds] == [
        ("size=1", "submit-1", 1),
        ("size=2", "submit-2", 2),
    ]


def test_foreach_needs_no_other_variable(tmp_path: Path) -> None:
    text = LOOP.replace("variables: {sizes: [1, 2]}\n", "").replace('"${sizes}"', "[3]")
    (loop,) = loaded(tmp_path, text).tasks
    assert isinstance(loop, ForEachDocument)
    assert [task.id for _, task in loop.rounds] == ["submit-3"]


@pytest.mark.parametrize(
    ("loop", "fault"),
    [
        ("3", "5:3: tasks[0].foreach: expected one name with a list, like `size: [1, 2, 4]`, got 3"),
        ("{a: [1], b: [2]}", "5:3: tasks[0].foreach: expected one name with a list, like `size: [1, 2, 4]`"),
        ("{size: []}", "5:13: tasks[0].foreach.size: must not be empty"),
        ("{size: 3}", "5:13: tasks[0].foreach.size: expected a list, got 3"),
        ("{1a: [1]}", "5:13: tasks[0].foreach.1a: '1a' is not valid"),
    ],
)
def test_bad_loops(tmp_path: Path, loop: str, fault: str) -> None:
    (found,) = faults(tmp_path, LOOP.replace('{size: "${sizes}"}', loop))
    assert found.startswith(f"w.yml:{fault}")


def test_a_fault_inside_a_loop_is_told_once(tmp_path: Path) -> None:
    assert faults(tmp_path, LOOP.replace("refTaskId", "refTask")) == [
        "w.yml:6:12: tasks[0].params.refTask: unknown field 'refTask'; did you mean 'refTaskId'?",
    ]


def test_blocks_hold_tasks_with_values(tmp_path: Path) -> None:
    text = """\
variables: {n: 2}
tasks:
- id: rounds
  type: Repeat
  foreach: {outer: [a, b]}
  params:
    count: ${n}
    tasks:
    - {id: "s", type: SubmitObj, params: {refTaskId: "${outer}", count: "${n}"}}
    - {id: "t", type: SubmitObj, foreach: {inner: [1, 2]}, params: {refTaskId: "${outer}-${inner}"}}
"""
    (loop,) = loaded(tmp_path, text).tasks
    assert isinstance(loop, ForEachDocument)
    _, second = loop.rounds[1]
    plain, nested = second.tasks
    assert isinstance(plain, TaskDocument)
    assert isinstance(nested, ForEachDocument)
    assert plain.params == {"refTaskId": "b", "count": 2}
    assert plain.where("count") == f"{tmp_path}/w.yml:9:66"
    assert [task.params["refTaskId"] for _, task in nested.rounds] == ["b-1", "b-2"]


def test_unknown_fields_are_warnings_when_read_leniently(tmp_path: Path) -> None:
    file = tmp_path / "w.yml"
    file.write_text("tasks: [{id: a, type: Sleep, params: {timeout: 1s, odd: 1}, more: 2}]")
    (workflow,) = load_workflows([file], built_in().documents, lenient=True)
    assert workflow.faults == ()
    assert [warning.path for warning in workflow.warnings] == ["tasks[0].params.odd", "tasks[0].more"]
