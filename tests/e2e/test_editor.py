"""The schemas in editors: the real YAML language server tells mistakes, completes and explains."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from knavtool import resources
from support.editor.language_server import CURSOR, LanguageServer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("editor")]

ROOT = Path(__file__).parents[2]
WORKFLOW = "# yaml-language-server: $schema=../schemas/workflow.schema.json\n"
DEVICES = "nodes:\n- type: own\n  count: 1\n  resources:\n    dra:\n      "
VALUES = "# yaml-language-server: $schema=../schemas/values.schema.json\n"
EVERYTHING = """\
name: everything
description: Everything that a workflow can have
variables: {size: 2, op: create, spaces: [], time: 5, word: a, wait: true, cpu: 1, nodes: [], must: null}
tasks:
- id: prepare
  type: Configure
  timeout: 2m
  params:
    timeout: ${time}s
    nodes:
    - {type: dgxa100.80g, count: "${size}", namePrefix: "n-${word}", labels: {a: "${word}", b: 8, c: true}}
    - {type: own, count: 1, resources: {cpu: "${cpu}", memory: 1Ti}, taints: [{key: a, effect: NoSchedule}]}
    - {type: gb200, count: 1, resources: {dra: "${dra}"}}
    - type: gb200
      count: 1
      resources:
        dra: {driver: "${driver}", count: "${size}", attributes: {a: "${word}", b: 8, c: true}, capacity: {d: "${cpu}"}}
    - {type: own, count: 1, resources: {cpu: 0.5}, conditions: [{type: Ready, status: "True", message: x}]}
    namespaces: ${spaces}
    configmaps: [{name: "a-${word}", namespace: default, op: "${op}", data: {a: 1, b: true, c: }}]
    priorityClasses: [{name: high, op: create, value: "${size}"}, {name: low, op: delete}]
    deploymentRestarts: [{namespace: a, name: b}, {namespace: a, labels: {app: x}}]
- id: all-nodes
  type: Configure
  params: {timeout: 1m, nodes: "${nodes}"}
- id: register
  type: RegisterObj
  params: {template: "templates/${word}.yml", nameFormat: "j{{._ENUM_}}", podNameFormat: ".*", podCount: "${size}"}
- id: job
  type: SubmitObj
  foreach: {pods: [1, 2, 4]}
  params: {refTaskId: register, count: "${size}", canExist: "${wait}", params: {parallelism: "${pods}", any: [x]}}
- id: more
  type: SubmitObj
  foreach: {pods: "${nodes}"}
  continueOnError: ${wait}
  params: {refTaskId: register}
- {id: update, type: UpdateObj, params: {refTaskId: job, state: {spec: {suspend: false}}, index: "${size}"}}
- {id: state, type: CheckObj, params: {refTaskId: job, state: {status: {active: "${size}"}}, timeout: 1m30s}}
- {id: pods, type: CheckPod, params: {refTaskId: job, status: "${word}", nodeLabels: {a: "${word}"}, timeout: 300ms}}
- {id: data, type: CheckConfigmap, params: {name: a, namespace: b, op: subset, data: {a: 1}, timeout: 1s}}
- {id: cordon, type: UpdateNodes, params: {selectors: [{a: b}], state: {spec: {unschedulable: true}}}}
- id: placed
  type: CheckPlacement
  params: {refTaskId: job, allOrNothing: true, within: 1s, topologyKey: rack, nodes: [n1, 2], timeout: "${time}s"}
- {id: held, type: CheckPlacement, params: {refTaskId: job, waiting: 3s}}
- {id: metric, type: CheckMetric, params: {query: up, op: ">=", value: "${size}", for: 1s, timeout: 1m}}
- id: branches
  type: Parallel
  params:
    tasks:
    - {id: one, type: DeleteObj, params: {refTaskId: job, wait: true, timeout: 1m}}
    - id: other
      type: Repeat
      params:
        count: ${size}
        tasks:
        - {id: sleep, type: Sleep, description: a while, params: {timeout: 1s}}
        - {id: pause, type: Pause}
        - {id: short, type: Pause, params: {timeout: 1s}}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[LanguageServer]:
    with LanguageServer(ROOT) as server:
        yield server


@pytest.fixture(scope="module")
def names() -> Iterator[Path]:
    """Files that do not exist, as far below the schemas as those that ship."""
    return (ROOT / "workflows" / f"editor-{number}.yml" for number in count())


def test_what_ships_is_without_fault(server: LanguageServer, names: Iterator[Path]) -> None:
    texts = {file: file.read_text() for file in (ROOT / "workflows").rglob("*.yml") if file.parent.name != "templates"}
    assert len(texts) > 30
    assert all(text.startswith("# yaml-language-server: $schema=") for text in texts.values())
    texts |= {next(names): WORKFLOW + EVERYTHING}
    texts |= {next(names): VALUES + (resources.chart("virtual-nodes") / "values-example.yaml").read_text()}
    for file, text in texts.items():
        server.open(file, text)
    assert {str(file): found for file in texts if (found := server.diagnostics(file))} == {}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (WORKFLOW + "tasks:\n- id: a\n  type: Sleep\n  params:\n    timeout: 1s\n    timeot: 1s\n", 6, "timeot"),
        (WORKFLOW + "tasks:\n- id: a\n  type: Slep\n  params: {timeout: 1s}\n", 3, '"SubmitObj"'),
        (WORKFLOW + "tasks:\n- id: a\n  type: Sleep\n  params:\n    timeout: 5\n", 5, "Expected a number with a unit"),
        (
            WORKFLOW + "tasks:\n- id: a\n  type: Sleep\n  params:\n    timeout: 5 s\n",
            5,
            "Expected a number with a unit",
        ),
        (WORKFLOW + "tasks:\n- id: a\n  type: SubmitObj\n  params:\n    refTaskId: r\n    count: two\n", 6, "integer"),
        (WORKFLOW + "tasks:\n- id: a\n  type: Sleep\n  params: {}\n", 4, '"timeout"'),
        (WORKFLOW + "tasks:\n- id: a\n  type: Sleep\n", 2, '"params"'),
        (
            WORKFLOW + "tasks:\n- id: a\n  type: CheckPod\n  params:\n    refTaskId: r\n    status: Runing\n",
            6,
            "Running",
        ),
        (WORKFLOW + "task: []\n", 1, "task"),
        (
            WORKFLOW + "tasks:\n- id: a\n  type: Parallel\n  params:\n    tasks:\n    - id: b\n      type: Sleep\n"
            "      params: {timeout: 1}\n",
            8,
            "Expected a number with a unit",
        ),
        (VALUES + "nodes:\n- type: dgxa100.80g\n  count: many\n", 3, "integer"),
        (VALUES + "nodes:\n- type: dgxa100.80g\n  count: 1\n  label: {}\n", 4, "label"),
        (VALUES + "nodes:\n- type: own\n  count: 1\n  resources:\n    cpu: 8 cores\n", 5, "Expected a quantity"),
        (VALUES + "nodes:\n- type: own\n  count: 1\n  taints:\n  - key: a\n    effect: Never\n", 6, "NoSchedule"),
        (VALUES + f"{DEVICES}driver: gpu\n      count: 8\n", 6, "like gpu.nvidia.com"),
    ],
)
def test_mistakes_are_marked_at_their_lines(
    server: LanguageServer, names: Iterator[Path], text: str, line: int, message: str
) -> None:
    file = next(names)
    server.open(file, text)
    found = server.diagnostics(file)
    assert any(at == line and message in said for at, said in found), found


TASK = f"{WORKFLOW}tasks:\n- id: a\n"
NESTED = f"{TASK}  type: Parallel\n  params:\n    tasks:\n    - id: b\n      type: DeleteObj\n"


@pytest.mark.parametrize(
    ("text", "offered", "not_offered"),
    [
        (f"{WORKFLOW}{CURSOR}\n", {"tasks", "name", "description", "variables"}, {"nodes"}),
        (f"{TASK}  type: {CURSOR}\n", {"Configure", "SubmitObj", "CheckPlacement", "CheckMetric", "Repeat"}, set()),
        (f"{WORKFLOW}thresholds:\n- measure: {CURSOR}\n", {"gang.wait.p95", "gpu.occupancy.mean"}, set()),
        (f"{TASK}  t{CURSOR}\n", {"type", "timeout", "foreach", "continueOnError", "params"}, {"id"}),
        (
            f"{TASK}  type: SubmitObj\n  params:\n    {CURSOR}\n",
            {"refTaskId", "count", "canExist", "params"},
            {"status", "state", "timeout"},
        ),
        (
            f"{TASK}  type: CheckPlacement\n  params:\n    refTaskId: x\n    {CURSOR}\n",
            {"allOrNothing", "within", "topologyKey", "nodes", "waiting", "timeout", "count", "groups"},
            {"refTaskId", "status"},
        ),
        (
            f"{TASK}  type: CheckPod\n  params:\n    status: {CURSOR}\n",
            {"Pending", "Running", "Succeeded", "Failed", "Unknown"},
            set(),
        ),
        (
            f"{TASK}  type: Configure\n  params:\n    namespaces:\n    - name: x\n      op: {CURSOR}\n",
            {"create", "delete"},
            set(),
        ),
        (
            f"{TASK}  type: Configure\n  params:\n    nodes:\n    - type: x\n      {CURSOR}\n",
            {"count", "labels", "resources", "taints", "conditions", "namePrefix", "annotations"},
            {"type"},
        ),
        (
            f"{NESTED}      params:\n        {CURSOR}\n",
            {"refTaskId", "wait", "timeout"},
            {"tasks"},
        ),
        (f"{VALUES}{CURSOR}\n", {"nodes"}, {"tasks"}),
        (f"{VALUES}nodes:\n- type: a\n  c{CURSOR}\n", {"count", "labels", "resources", "taints"}, {"type"}),
        (
            f"{VALUES}{DEVICES}{CURSOR}\n",
            {"driver", "count", "extendedResourceName", "attributes", "capacity"},
            {"type"},
        ),
        (
            (
                f"{TASK}  type: Configure\n  params:\n    nodes:\n    - type: x\n      resources:\n        dra:\n"
                f"          {CURSOR}\n"
            ),
            {"driver", "count", "extendedResourceName", "attributes", "capacity"},
            {"type"},
        ),
        (
            f"{VALUES}nodes:\n- type: a\n  taints:\n  - effect: {CURSOR}\n",
            {"NoSchedule", "PreferNoSchedule", "NoExecute"},
            set(),
        ),
    ],
)
def test_completion(
    server: LanguageServer, names: Iterator[Path], text: str, offered: set[str], not_offered: set[str]
) -> None:
    file = next(names)
    server.open(file, text)
    found = server.completions(file, text)
    assert offered <= set(found), found
    assert not not_offered & set(found), found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{WORKFLOW}ta{CURSOR}sks: []\n", "The steps of the workflow"),
        (f"{TASK}  ty{CURSOR}pe: Sleep\n", "Lets time pass"),
        (f"{TASK}  fore{CURSOR}ach: {{x: [1]}}\n", "once for each item"),
        (f"{TASK}  type: SubmitObj\n  params:\n    canEx{CURSOR}ist: true\n", "left as they are"),
        (f"{TASK}  type: CheckPod\n  params:\n    status: Run{CURSOR}ning\n", "The phase that all pods must have"),
        (f"{TASK}  type: Sleep\n  params:\n    time{CURSOR}out: 1s\n", "How long"),
        (f"{TASK}  type: CheckConfigmap\n  params:\n    o{CURSOR}p: equal\n", "exactly this data"),
        (f"{VALUES}nodes:\n- cou{CURSOR}nt: 1\n", "How many nodes"),
        (f"{VALUES}nodes:\n- resources:\n    dr{CURSOR}a: {{}}\n", "dynamic resource allocation"),
        (f"{VALUES}{DEVICES}extended{CURSOR}ResourceName: a/b\n", "without a claim"),
        (f"{VALUES}nodes:\n- taints:\n  - effe{CURSOR}ct: NoSchedule\n", "do not tolerate it"),
    ],
)
def test_hover_tells_what_a_field_means(server: LanguageServer, names: Iterator[Path], text: str, told: str) -> None:
    file = next(names)
    server.open(file, text)
    assert told in server.hover(file, text)
