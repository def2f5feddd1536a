"""Files as people wrote them for Knavigator: they are taken as they are, or with --compat and a warning."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from knavtool.documents.workflow_reader import load_workflows
from knavtool.errors import InvalidDocument
from knavtool.workflow import plan
from knavtool.workflow.plan import Plan
from knavtool.workflow.registry import built_in
from support.old_files import JOB, SETUP, SUBMIT


class Case(NamedTuple):
    """A file; `warned` is what strict reading refuses and --compat warns about, empty if it is taken as it is."""

    tasks: str
    warned: str = ""
    template: str = JOB


def configure(params: str) -> str:
    """A Configure task, which needs no template."""
    return f"- {{id: c, type: Configure, params: {{timeout: 1m, {params}}}}}\n"


CASES = {
    # What is taken as it is.
    "no name": Case(SETUP),
    "pod count as a number": Case(SETUP.replace('"{{.replicas}}"', "1")),
    "arithmetic": Case(SETUP.replace('"{{.replicas}}"', '"{{.replicas}} * 2 + 1"')),
    "count 0": Case(SETUP.replace("register, ", "register, count: 0, ")),
    "null is unset": Case(SETUP.replace("register, ", "register, count: null, canExist: ~, ")),
    "formats without a value": Case(SETUP.replace('"{{._NAME_}}-[0-9]-.*"', "").replace('"{{.replicas}}"', "")),
    "a whole float": Case(SETUP.replace("register, ", "register, count: 2.0, ")),
    "ids as numbers": Case(SETUP.replace("register\n", "1\n").replace("register,", "1,")),
    "an id of two types": Case(SETUP.replace("id: job", "id: register")),
    "an id of two checks": Case(
        SETUP
        + "- {id: status, type: CheckPod, params: {refTaskId: job, status: Running, timeout: 5s}}\n"
        + "- {id: status, type: CheckObj, params: {refTaskId: job, state: {status: {active: 2}}, timeout: 5s}}\n"
    ),
    "zero timeouts": Case(
        SETUP
        + "- {id: a, type: CheckPod, params: {refTaskId: job, status: Running, timeout: '0'}}\n"
        + "- {id: b, type: CheckObj, params: {refTaskId: job, state: {kind: Job}, timeout: 0s}}\n"
        + "- {id: c, type: CheckObj, params: {refTaskId: job, state: {kind: Job}, timeout: null}}\n"
    ),
    "numbers and booleans as labels": Case(
        configure(
            "nodes: [{type: dgxa100.80g, count: 1, labels: {net-optimal: true, nvidia.com/gpu.count: 8}, "
            "annotations: {a: 1.5}, conditions: [{type: Odd, status: 'False', reason: 7, message: 'a: b'}]}]"
        )
        + SETUP
        + "- {id: p, type: CheckPod, params: {refTaskId: job, status: Running, nodeLabels: {net-optimal: true}}}\n"
        + "- {id: u, type: UpdateNodes, params: {selectors: [{net-optimal: true}], state: {spec: {}}}}\n"
    ),
    "numbers in a config map": Case(
        configure("configmaps: [{name: a, namespace: b, op: create, data: {n: 1, t: true, z: }}]")
        + "- {id: m, type: CheckConfigmap, params: {name: a, namespace: b, op: subset, data: {n: 1}}}\n"
    ),
    "empty lists": Case(configure("nodes: [], namespaces: [], configmaps: , priorityClasses: []")),
    "a preset's resources": Case(configure("nodes: [{type: dgxa100.80g, count: 1, resources: {cpu: 1}}]")),
    "pause": Case("- {id: p, type: Pause}\n"),
    "pause with empty params": Case("- {id: p, type: Pause, params: }\n"),
    "unused parameters of UpdateNodes": Case(
        "- {id: n, type: UpdateNodes, params: {selectors: [{a: b}], state: {spec: {unschedulable: true}}, "
        "refTaskId: gone, index: 0, timeout: 1m}}\n"
    ),
    "other documents": Case(SETUP + "---\ntasks: nonsense\n"),
    "unreadable other documents": Case(SETUP + "---\n{\n"),
    "a leading separator": Case(SETUP, template="---\n" + JOB),
    "a trailing separator": Case(SETUP, template=JOB + "---\n"),
    "separators with blanks": Case(SETUP, template="--- \n" + JOB),
    "a quoted kind": Case(SETUP, template=JOB.replace("kind: Job", 'kind: "Job" # batch')),
    "lines of Windows": Case(SETUP, template=JOB.replace("\n", "\r\n")),
    "a map": Case(SETUP.replace("labels: {}", "labels: {b: 2, a: true}")),
    "digits": Case(SETUP.replace('"{{._NAME_}}-[0-9]-.*"', r"'{{._NAME_}}-\d+-\S+'")),
    "angle brackets": Case(SETUP.replace('"{{._NAME_}}-[0-9]-.*"', "'(?P<name>{{._NAME_}})-.*'")),
    "a pattern that begins with a class": Case(SETUP.replace('"{{._NAME_}}-[0-9]-.*"', "'[j]ob{{._ENUM_}}-.*'")),
    "dollars are text": Case(SETUP.replace("labels: {}", "labels: {a: '${HOME}'}")),
    "names of one's own": Case(
        SETUP.replace('    nameFormat: "job{{._ENUM_}}"\n', "").replace("replicas: 2,", "replicas: 2, _NAME_: mine,")
    ),
    "params of maps and lists": Case(SETUP.replace("labels: {}", "labels: {}, other: [1, {a: b}]")),
    # What is told, because nobody can have meant it.
    "unknown fields": Case("kind: Workflow\n" + SETUP.replace("register, ", "register, cuont: 2, "), "unknown field"),
    "unknown fields of nodes": Case(configure("nodes: [{type: dgxa100.80g, count: 1, cpu: 1}]"), "unknown field 'cpu'"),
    "params of Pause": Case("- {id: p, type: Pause, params: {message: look}}\n", "unknown field 'message'"),
    "a timeout of Pause": Case("- {id: p, type: Pause, params: {timeout: 5}}\n", "timeout: "),
    "a missing parameter": Case(SETUP.replace("replicas: 2,", "replicas: 2, x: 1,"), "{{.gpu}}", JOB + "# {{.gpu}}\n"),
    "a map that is not given": Case(SETUP.replace(", labels: {}", "")),
    "a number without a name": Case(
        SETUP.partition("    nameFormat")[0] + "\n" + SUBMIT,
        "{{._ENUM_}}",
        JOB.replace('"{{._NAME_}}"', "job").replace("spec:", '  annotations: {number: "{{._ENUM_}}"}\nspec:'),
    ),
    "a fraction": Case(SETUP.replace("register, ", "register, count: 2.7, "), "2.7"),
    "a fraction of a node": Case(configure("nodes: [{type: dgxa100.80g, count: 1.5}]"), "1.5"),
    "a label without a value": Case(configure("nodes: [{type: dgxa100.80g, count: 1, labels: {a: }}]"), "labels"),
    "nodes without resources": Case(configure("nodes: [{type: cpu.x86, count: 1}]"), "'cpu.x86' is no preset"),
    "a negative timeout": Case(
        SETUP + "- {id: c, type: CheckPod, params: {refTaskId: job, status: Running, timeout: -1s}}\n", "negative"
    ),
    "a negative sleep": Case("- {id: s, type: Sleep, params: {timeout: -5s}}\n", "negative"),
    "a negative timeout that nobody uses": Case(
        SETUP + "- {id: u, type: UpdateObj, params: {refTaskId: job, state: {spec: {}}, timeout: -1s}}\n", "timeout: "
    ),
    "nothing to update": Case(
        SETUP + "- {id: u, type: UpdateObj, params: {refTaskId: job, state: {kind: Pod}}}\n", "names no field"
    ),
    "nodes have no such field": Case(
        "- {id: u, type: UpdateNodes, params: {selectors: [{a: b}], state: {data: {}, spec: {unschedulable: true}}}}\n",
        "a node has no field 'data'",
    ),
}


def built(directory: Path, *, lenient: bool) -> Plan:
    """The plan of the file in the directory."""
    return plan.build(
        load_workflows([directory / "wf.yml"], built_in().documents, lenient=lenient),
        search=[directory],
        lenient=lenient,
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_old_files(tmp_path: Path, case: Case) -> None:
    head, _, tasks = case.tasks.partition("- ")
    (tmp_path / "wf.yml").write_text(f"{head}tasks:\n- {tasks}")
    (tmp_path / "job.yml").write_bytes(case.template.encode())
    warnings = [str(warning) for warning in built(tmp_path, lenient=True).warnings]
    if not case.warned:
        assert warnings == []
        built(tmp_path, lenient=False)
        return
    assert any(case.warned in warning and "wf.yml:" in warning for warning in warnings), warnings
    with pytest.raises(InvalidDocument) as caught:
        built(tmp_path, lenient=False)
    assert any(case.warned in str(violation) for violation in caught.value.violations)


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        (SETUP.replace("register, ", 'register, count: "2", '), "write 2 without quotes"),
        (SETUP.replace("register, ", "register, count: -1, "), "expected at least 0"),
        ("- {id: s, type: Sleep, params: {timeout: 0}}\n", "expected a number with a unit"),
        ("- {id: s, type: Sleep, params: {timeout: 5}}\n", "expected a number with a unit"),
        ("- {id: s, id: s, type: Pause}\n", "the key is given twice"),
        ("- \n", "expected a map with id, type and params"),
        (SETUP.replace("podCount", "#"), "podNameFormat needs podCount"),
        ("- {id: s, type: [], params: {timeout: 1s}}\n", "expected one of Configure"),
    ],
)
@pytest.mark.parametrize("lenient", [False, True], ids=["strict", "compat"])
def test_what_knavigator_refuses_too(tmp_path: Path, tasks: str, said: str, *, lenient: bool) -> None:
    (tmp_path / "job.yml").write_text(JOB)
    (tmp_path / "wf.yml").write_text(f"tasks:\n{tasks}")
    with pytest.raises(InvalidDocument) as caught:
        built(tmp_path, lenient=lenient)
    assert any(said in violation.message for violation in caught.value.violations), caught.value.violations
