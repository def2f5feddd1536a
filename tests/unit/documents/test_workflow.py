"""Workflow files: all task types, what is taken as text, and what is refused with place and reason."""

# ruff: noqa: E501 - a message is one line here, as it is for the user

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from knavtool import resources
from knavtool.documents.entries import NodeEntry
from knavtool.documents.values import parse_entries
from knavtool.documents.workflow import TaskDocument, WorkflowDocument
from knavtool.documents.workflow_reader import load_workflows
from knavtool.errors import ExitCode, InvalidDocument
from knavtool.workflow.references.templates import find_template
from knavtool.workflow.registry import built_in
from knavtool.workflow.tasks import TYPES as TASK_TYPES

ALL = """\
name: everything
description: one task of each type
tasks:
- id: prepare
  type: Configure
  description: everything that can be prepared
  params:
    timeout: 1m30s
    nodes:
    - type: dgxa100.80g
      count: 1
      labels: {node-id: n1, optimal: true, rack: 8}
    - type: own
      count: 2
      resources: {cpu: 48, memory: 1Ti}
    namespaces:
    - {name: team-a, op: create}
    - {name: team-b, op: delete}
    configmaps:
    - name: settings
      namespace: team-a
      op: create
      data:
        file.conf: |
          a: b
        number: 8
        empty:
    priorityClasses:
    - {name: high, value: 90, op: create}
    - {name: zero, value: 0, op: create}
    - {name: low, op: delete}
    deploymentRestarts:
    - {namespace: team-a, name: controller}
    - {namespace: team-a, labels: {app: x}}
- id: register
  type: RegisterObj
  params:
    template: templates/job.yml
    nameFormat: job{{._ENUM_}}
    podNameFormat: "{{._NAME_}}-[0-9]+-.*"
    podCount: 1
- id: 7
  type: SubmitObj
  params:
    refTaskId: register
    count: 2
    canExist: true
    params: {replicas: 2, ttl: 10s, nothing: null, labels: {a: 1}}
- id: update
  type: UpdateObj
  params:
    refTaskId: 7
    state: {metadata: {labels: {a: null}}}
    index: 0
- id: object
  type: CheckObj
  params:
    refTaskId: 7
    state: {status: {active: 2, gone: null}}
    timeout: 300ms
- id: pods
  type: CheckPod
  params:
    refTaskId: 7
    status: Running
    nodeLabels: {optimal: true, rack: 8}
    timeout: 5s
- id: config
  type: CheckConfigmap
  params:
    name: settings
    namespace: team-a
    op: subset
    data: {number: 8}
- id: delete
  type: DeleteObj
  params: {refTaskId: 7, wait: true, timeout: 1m}
- id: cordon
  type: UpdateNodes
  params:
    selectors: [{node-id: n1}, {rack: 8, optimal: false}]
    state: {spec: {unschedulable: true}}
- id: sleep
  type: Sleep
  params: {timeout: 1s}
- id: pause
  type: Pause
- id: placement
  type: CheckPlacement
  params: {refTaskId: 7, allOrNothing: true, within: 500ms, topologyKey: rack, nodes: [n1, 2], timeout: 5s}
- id: metric
  type: CheckMetric
  params: {query: up, op: "==", value: 1, for: 5s, timeout: 1m}
- id: measure
  type: CheckMeasure
  params: {measure: gang.wait.p95, op: "<=", value: 20s, samples: 3, allowSaturated: true}
- id: both
  type: Parallel
  params:
    tasks:
    - {id: one, type: Pause}
    - {id: other, type: Sleep, params: {timeout: 1s}}
- id: rounds
  type: Repeat
  params:
    count: 3
    tasks: [{id: one, type: Pause}]
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def loaded(text: str) -> WorkflowDocument:
    file = Path("w.yml")
    file.write_text(text)
    (workflow,) = load_workflows([file], built_in().documents)
    if workflow.faults:
        raise InvalidDocument(workflow.faults)
    return workflow


def task(text: str) -> TaskDocument:
    (found,) = loaded(f"tasks:\n- {text}").tasks
    assert isinstance(found, TaskDocument)
    return found


def faults(text: str) -> list[str]:
    with pytest.raises(InvalidDocument) as caught:
        loaded(text)
    assert caught.value.exit_code == ExitCode.BAD_INPUT
    return [str(violation) for violation in caught.value.violations]


def test_every_task_type_is_read() -> None:
    workflow = loaded(ALL)
    assert (workflow.name, workflow.description, workflow.file) == (
        "everything",
        "one task of each type",
        Path("w.yml"),
    )
    missing = [name for name in TASK_TYPES if name not in {task.type for task in workflow.tasks}]
    assert not missing, "add a task of each of these types to ALL above"
    assert [task.place for task in workflow.tasks] == [("tasks", index) for index in range(len(TASK_TYPES))]
    prepare, register, submit, update, check, pods, config, delete, cordon, sleep, pause, *_ = workflow.tasks
    assert prepare.params["configmaps"][0]["data"] == {"file.conf": "a: b\n", "number": "8", "empty": ""}
    assert prepare.params["nodes"][0]["labels"] == {"node-id": "n1", "optimal": "true", "rack": "8"}
    assert prepare.params["priorityClasses"][1] == {"name": "zero", "value": 0, "op": "create"}
    assert prepare.params["deploymentRestarts"][1] == {"namespace": "team-a", "labels": {"app": "x"}}
    assert register.params["podCount"] == "1"
    assert submit.id == "7"
    assert submit.params["params"] == {"replicas": 2, "ttl": "10s", "nothing": None, "labels": {"a": 1}}
    assert update.params == {"refTaskId": "7", "state": {"metadata": {"labels": {"a": None}}}, "index": 0}
    assert check.params["state"] == {"status": {"active": 2, "gone": None}}
    assert pods.params["nodeLabels"] == {"optimal": "true", "rack": "8"}
    assert config.params["data"] == {"number": "8"}
    assert delete.params["wait"] is True
    assert cordon.params["selectors"] == [{"node-id": "n1"}, {"rack": "8", "optimal": "false"}]
    assert sleep.params == {"timeout": "1s"}
    assert pause.params == {}


def test_the_nodes_of_a_task_are_those_of_a_values_file() -> None:
    prepare = loaded(ALL).tasks[0]
    entries, wrong = parse_entries(prepare.document, (), prepare.params["nodes"])
    assert wrong == []
    assert entries == [
        NodeEntry(type="dgxa100.80g", count=1, labels={"node-id": "n1", "optimal": "true", "rack": "8"}),
        NodeEntry(type="own", count=2, resources={"cpu": "48", "memory": "1Ti"}),
    ]


def test_places_of_a_task() -> None:
    check = loaded(ALL).tasks[4]
    assert check.where("state", "status", "active") == "w.yml:59:22"
    assert check.where("not", "there") == "w.yml:57:3"
    assert str(check.violation("is odd", "timeout")) == "w.yml:60:5: tasks[4].params.timeout: is odd"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ("{refTaskId: a, count: , canExist: , params: }", {"refTaskId": "a"}),
        ("{refTaskId: a, count: 3.0}", {"refTaskId": "a", "count": 3}),
        ("{refTaskId: true}", {"refTaskId": "true"}),
        ("{refTaskId: 1.5}", {"refTaskId": "1.5"}),
    ],
)
def test_null_is_unset_and_scalars_are_text(params: str, expected: dict[str, Any]) -> None:
    given = task(f"{{id: a, type: SubmitObj, params: {params}}}").params
    assert given == expected
    assert [type(value) for value in given.values()] == [type(value) for value in expected.values()]


def test_defaults_of_the_envelope() -> None:
    workflow = loaded("name:\ndescription:\ntasks: [{id: a, type: Pause, params: , description: }]")
    assert (workflow.name, workflow.description) == ("w", "")
    assert (workflow.tasks[0].description, workflow.tasks[0].params) == ("", {})


def test_only_the_first_document_is_read() -> None:
    assert len(loaded("tasks: [{id: a, type: Pause}]\n---\nnonsense: {\n").tasks) == 1


UNIT = "expected a number with a unit, like 300ms, 5s, 1m30s or 2h"
TYPES = ", ".join(TASK_TYPES)
LABEL = "expected at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        # The envelope
        ("name: x\n", "1:1: the field 'tasks' is missing"),
        ("tasks:\n", "1:1: tasks: the field 'tasks' has no value"),
        ("tasks: []", "1:1: tasks: must not be empty"),
        ("tasks: {}", "1:1: tasks: expected a list, got a map"),
        ("tasks: [null]", "1:9: tasks[0]: expected a map with id, type and params, got nothing"),
        ("tasks: [sleep]", "1:9: tasks[0]: expected a map with id, type and params, got text 'sleep'"),
        ("[]", "1:1: expected a map, got a list"),
        ("task: []\n", "1:1: task: unknown field 'task'; did you mean 'tasks'?"),
        ("nam: x\ntasks: [{id: a, type: Pause}]", "1:1: nam: unknown field 'nam'; did you mean 'name'?"),
        ("name: [x]\ntasks: [{id: a, type: Pause}]", "1:1: name: expected text or a number, got a list"),
        # A task
        ("tasks: [{type: Pause}]", "1:9: tasks[0]: the field 'id' is missing"),
        ("tasks: [{id: '', type: Pause}]", "1:10: tasks[0].id: '' is not valid; expected text that is not empty"),
        ("tasks: [{id: a}]", "1:9: tasks[0]: the field 'type' is missing"),
        (
            "tasks: [{id: a, type: Submitobj, params: {}}]",
            f"1:17: tasks[0].type: 'Submitobj' is not one of {TYPES}; did you mean 'SubmitObj'?",
        ),
        ("tasks: [{id: a, type: [Sleep]}]", f"1:17: tasks[0].type: expected one of {TYPES}, got a list"),
        ("tasks: [{id: a, type: Frobnicate}]", f"1:17: tasks[0].type: 'Frobnicate' is not one of {TYPES}"),
        (
            "tasks: [{id: a, type: Pause, parms: {}}]",
            "1:30: tasks[0].parms: unknown field 'parms'; did you mean 'params'?",
        ),
        ("tasks: [{id: a, type: Sleep}]", "1:9: tasks[0]: the field 'params' is missing"),
        ("tasks: [{id: a, type: Sleep, params: }]", "1:30: tasks[0].params: the field 'params' has no value"),
        ("tasks: [{id: a, type: Sleep, params: 5s}]", "1:30: tasks[0].params: expected a map, got text '5s'"),
        (
            "tasks: [{id: a, type: Pause, params: {prompt: x}}]",
            "1:39: tasks[0].params.prompt: unknown field 'prompt'; known: timeout",
        ),
    ],
)
def test_one_fault_in_a_file(text: str, fault: str) -> None:
    assert faults(text) == [f"w.yml:{fault}"]


@pytest.mark.parametrize(
    ("type_", "params", "fault"),
    [
        # Times
        ("Sleep", "{}", ": the field 'timeout' is missing"),
        ("Sleep", "{¤timeout: 5}", f".timeout: {UNIT}, got 5"),
        ("Sleep", "{¤timeout: 5 s}", f".timeout: '5 s' is not valid; {UNIT}"),
        ("Sleep", "{¤timeout: 1d}", f".timeout: '1d' is not valid; {UNIT}"),
        ("Sleep", '{¤timeout: "5s\\n"}', f".timeout: '5s\\n' is not valid; {UNIT}"),
        ("Sleep", "{¤timeout: -5s}", ".timeout: must not be negative"),
        ("Sleep", "{¤timeout: 0s}", ".timeout: must be longer than zero"),
        (
            "Sleep",
            "{¤timeout: 9999999h}",
            ".timeout: '9999999h' is too long a time; expected less than 292 years",
        ),
        ("Sleep", "{¤timeut: 5s}", ".timeut: unknown field 'timeut'; did you mean 'timeout'?"),
        ("Configure", "{nodes: []}", ": the field 'timeout' is missing"),
        ("CheckObj", "{refTaskId: a, state: {a: 1}, ¤timeout: 30}", f".timeout: {UNIT}, got 30"),
        # Configure
        (
            "Configure",
            "{timeout: 1m, nodes: [¤{type: gb200}]}",
            ".nodes[0]: the field 'count' is missing",
        ),
        (
            "Configure",
            "{timeout: 1m, nodes: [{type: gb200, count: 1, labels: {¤a: b c}}]}",
            f".nodes[0].labels.a: 'b c' is not valid; {LABEL}",
        ),
        (
            "Configure",
            "{timeout: 1m, nodes: [{¤type: own, count: 1}]}",
            ".nodes[0].type: 'own' is no preset, so it needs resources (cpu, memory, pods, ...); presets: dgxa100.40g, dgxa100.80g, dgxh100.80g, dgxh200, dgxb200, gb200",
        ),
        (
            "Configure",
            "{timeout: 1m, ¤nodes: {type: gb200}}",
            ".nodes: expected a list, got a map",
        ),
        (
            "Configure",
            "{timeout: 1m, namespaces: [{¤name: Team, op: create}]}",
            ".namespaces[0].name: 'Team' is not valid; expected lower-case letters, digits and '-', at most 63",
        ),
        (
            "Configure",
            "{timeout: 1m, namespaces: [{name: team, ¤op: creat}]}",
            ".namespaces[0].op: 'creat' is not one of create, delete; did you mean 'create'?",
        ),
        (
            "Configure",
            "{timeout: 1m, namespaces: [¤team]}",
            ".namespaces[0]: expected a map with name and op, got text 'team'",
        ),
        (
            "Configure",
            "{timeout: 1m, configmaps: [¤{name: a, op: create}]}",
            ".configmaps[0]: the field 'namespace' is missing",
        ),
        (
            "Configure",
            "{timeout: 1m, configmaps: [{name: a, namespace: b, op: create, data: {¤a b: c}}]}",
            ".configmaps[0].data[\"a b\"]: 'a b' is not valid; expected letters, digits, '-', '_' and '.', at most 253",
        ),
        (
            "Configure",
            "{timeout: 1m, priorityClasses: [¤{name: a, op: create}]}",
            ".priorityClasses[0]: the field 'value' is missing",
        ),
        (
            "Configure",
            "{timeout: 1m, priorityClasses: [{name: a, op: create, ¤value: '5'}]}",
            ".priorityClasses[0].value: expected a whole number, got text '5'; write 5 without quotes",
        ),
        (
            "Configure",
            "{timeout: 1m, priorityClasses: [{name: a, op: create, ¤value: 2000000000}]}",
            ".priorityClasses[0].value: 2000000000 is out of range; expected at most 1000000000",
        ),
        (
            "Configure",
            "{timeout: 1m, deploymentRestarts: [¤{namespace: a}]}",
            ".deploymentRestarts[0]: expected exactly one of name and labels",
        ),
        (
            "Configure",
            "{timeout: 1m, deploymentRestarts: [¤{namespace: a, name: b, labels: {c: d}}]}",
            ".deploymentRestarts[0]: expected exactly one of name and labels",
        ),
        # Objects
        ("RegisterObj", "{nameFormat: a}", ": the field 'template' is missing"),
        ("RegisterObj", "{¤template: }", ".template: the field 'template' has no value"),
        (
            "RegisterObj",
            "{¤template: [a]}",
            ".template: expected the path of a file, got a list",
        ),
        (
            "RegisterObj",
            "{template: a, ¤podNameFromat: b}",
            ".podNameFromat: unknown field 'podNameFromat'; did you mean 'podNameFormat'?",
        ),
        ("SubmitObj", "{count: 1}", ": the field 'refTaskId' is missing"),
        (
            "SubmitObj",
            "{refTaskId: a, ¤count: '2'}",
            ".count: expected a whole number, got text '2'; write 2 without quotes",
        ),
        (
            "SubmitObj",
            "{refTaskId: a, ¤count: -1}",
            ".count: -1 is out of range; expected at least 0",
        ),
        ("SubmitObj", "{refTaskId: a, ¤count: 1.5}", ".count: expected a whole number, got 1.5"),
        (
            "SubmitObj",
            "{refTaskId: a, ¤canExist: yes}",
            ".canExist: expected true or false, got text 'yes'",
        ),
        ("SubmitObj", "{refTaskId: a, ¤params: [1]}", ".params: expected a map, got a list"),
        (
            "SubmitObj",
            "{¤refTaskid: a}",
            ".refTaskid: unknown field 'refTaskid'; did you mean 'refTaskId'?",
        ),
        ("UpdateObj", "{refTaskId: a}", ": the field 'state' is missing"),
        ("UpdateObj", "{refTaskId: a, ¤state: {}}", ".state: must not be empty"),
        (
            "CheckObj",
            "{refTaskId: a, state: {a: 1}, ¤index: -1}",
            ".index: -1 is out of range; expected at least 0",
        ),
        ("CheckPod", "{refTaskId: a}", ": expected at least one of status and nodeLabels"),
        (
            "CheckPod",
            "{refTaskId: a, ¤status: running}",
            ".status: 'running' is not one of Pending, Running, Succeeded, Failed, Unknown; did you mean 'Running'?",
        ),
        (
            "CheckPod",
            "{refTaskId: a, nodeLabels: {¤a: b!}}",
            f".nodeLabels.a: 'b!' is not valid; {LABEL}",
        ),
        ("DeleteObj", "{}", ": expected refTaskId, or apiVersion and kind"),
        (
            "CheckConfigmap",
            "{name: a, namespace: b, ¤op: equals}",
            ".op: 'equals' is not one of equal, subset; did you mean 'equal'?",
        ),
        ("UpdateNodes", "{¤selectors: [], state: {a: b}}", ".selectors: must not be empty"),
        (
            "UpdateNodes",
            "{selectors: [¤null], state: {a: b}}",
            ".selectors[0]: expected a map, got nothing",
        ),
    ],
)
def test_one_fault_in_the_params(type_: str, params: str, fault: str) -> None:
    line, column = (5, params.index("¤") + 5) if "¤" in params else (4, 3)
    text = f"tasks:\n- id: a\n  type: {type_}\n  params:\n    {params.replace('¤', '')}\n"
    assert faults(text) == [f"w.yml:{line}:{column}: tasks[0].params{fault}"]


def test_all_faults_of_all_files_at_once() -> None:
    Path("one.yml").write_text("tasks:\n- {id: a, type: Sleep, params: {timeout: -1s}}\n- {id: b, type: Nothing}\n")
    Path("two.yml").write_text("tasks: [\n")
    Path("good.yml").write_text("tasks: [{id: a, type: Pause}]")
    with pytest.raises(InvalidDocument) as caught:
        load_workflows([Path("one.yml"), Path("good.yml"), Path("gone.yml"), Path("two.yml")], built_in().documents)
    assert [str(violation).split(": ")[0] for violation in caught.value.violations] == [
        "gone.yml",
        "one.yml:2:33",
        "one.yml:3:11",
        "two.yml:2:1",
    ]


def test_faults_of_nodes_do_not_hide_one_another() -> None:
    text = """\
tasks:
- id: prepare
  type: Configure
  params:
    timeout: 0s
    nodes:
    - {type: gb200, count: -1}
    - {type: own, count: 1}
"""
    assert [fault.split(": ")[0] for fault in faults(text)] == ["w.yml:5:5", "w.yml:7:21", "w.yml:8:8"]


SHIPPED = sorted((resources.data_directory() / "workflows").glob("*/*.y*ml"))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_shipped_workflows_are_valid(file: Path) -> None:
    (workflow,) = load_workflows([file], built_in().documents, settings={})
    assert workflow.name
    assert workflow.description
    for given in workflow.tasks:
        if given.type == "RegisterObj":
            assert find_template(given.params["template"], file, [])[0] is not None


def test_workflows_are_shipped() -> None:
    assert {"test-job.yml", "test-failed-job.yml"} <= {file.name for file in SHIPPED}
