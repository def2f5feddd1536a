"""`knavtool run` on a real control plane, as a user calls it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml
from jsonschema import Draft202012Validator
from junitparser import JUnitXml

from knavtool import resources
from knavtool.kube.resource import CONFIG_MAPS, PRIORITY_CLASSES
from support.cli import SCRIPT
from support.recordings import facts_of
from support.run_cluster import RunCluster
from support.workflows import register, submit, task, write

pytestmark = pytest.mark.cluster

T = TypeVar("T")
WORKFLOWS = resources.data_directory() / "workflows" / "k8s"
JOB = (WORKFLOWS / "templates" / "job.yml").read_text()


def test_a_job_runs_to_success_and_leaves_reports_and_nothing_else(run_cluster: RunCluster, tmp_path: Path) -> None:
    report = tmp_path / "report"
    done = run_cluster.run("run", WORKFLOWS / "test-job.yml", "--cleanup", "--report", report)
    assert "5 tasks: 5 ok" in done.stderr
    files = "{report.json,junit.xml,summary.md,report.html,recording.jsonl.gz}"
    assert done.stderr.splitlines()[-1] == f"reports: {report}/{files}"
    assert done.stdout == ""
    suites = list(JUnitXml.fromfile(str(tmp_path / "report" / "junit.xml")))
    assert [(suite.name, suite.tests, suite.failures) for suite in suites] == [
        ("test-k8s-job", 5, 0),
        ("cleanup", 1, 0),
    ]
    told = json.loads((report / "report.json").read_text())
    assert (told["result"], told["counts"]["tasks"]["ok"]) == ("ok", 5)
    Draft202012Validator(json.loads(resources.schema("report").read_text())).validate(told)
    assert told["environment"]["server"].startswith("v1.")
    check = told["run"]["steps"][0]["steps"][3]
    assert check["data"]["phases"] == {"Running": 2}
    assert run_cluster.left() == {}


def test_a_job_that_must_fail_does(run_cluster: RunCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step_summary = tmp_path / "step-summary"
    step_summary.write_text("of an earlier step\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step_summary))
    done = run_cluster.run("run", WORKFLOWS / "test-failed-job.yml", "--cleanup")
    assert step_summary.read_text().startswith("of an earlier step\n\n## ✅ ")
    assert "2 of 2 pods are Failed" in done.stderr
    assert run_cluster.left() == {}


def test_a_failed_check_tells_the_schedulers_reason_and_cleans_up(run_cluster: RunCluster, tmp_path: Path) -> None:
    check = task("CheckPod", "check", refTaskId="job", status="Running", timeout="3s")
    workflow = run_cluster.write(run_cluster.submit(pods=4), check, task("Sleep", timeout="1h"))
    done = run_cluster.run("run", workflow, "--cleanup", "--junit", tmp_path / "j.xml", check=1)
    assert "2 of 4 pods are Running after 3 s (2 " in done.stderr
    assert "Pending: Unschedulable: 0/2 nodes are available: 2 Insufficient nvidia.com/gpu" in done.stderr
    (suite, _) = JUnitXml.fromfile(str(tmp_path / "j.xml"))
    assert (suite.tests, suite.failures, suite.skipped) == (5, 1, 1)
    assert run_cluster.left() == {}


def test_a_failed_object_check_tells_paths(run_cluster: RunCluster) -> None:
    state = {"status": {"succeeded": 1}, "spec": {"parallelism": 1}}
    workflow = run_cluster.write(
        run_cluster.submit(), task("CheckObj", "check", refTaskId="job", state=state, timeout="1s")
    )
    done = run_cluster.run("run", workflow, "--cleanup", check=1)
    assert f"Job {run_cluster.namespace}/job1:\n    status.succeeded: expected 1, actual absent" in done.stderr
    assert "parallelism" not in done.stderr


def test_two_hundred_objects(run_cluster: RunCluster, tmp_path: Path) -> None:
    check = task("CheckPod", "check", refTaskId="job", status="Succeeded", timeout="100s")
    delete = task("DeleteObj", refTaskId="job", wait=True)
    workflow = run_cluster.write(run_cluster.submit(count=200, gpu=0, run="1s"), check, delete)
    run_cluster.run("run", workflow, "--cleanup", "--json", tmp_path / "r.json")
    tasks = json.loads((tmp_path / "r.json").read_text())["run"]["steps"][0]["steps"]
    created, checked, deleted = (step["data"] for step in tasks[2:])
    assert (created["created"], checked["matching"], deleted["deleted"]) == (200, 200, 200)
    assert len(created["objects"]["Job"][run_cluster.namespace]) == 200
    assert run_cluster.left() == {}


def test_settings_are_made_and_undone(run_cluster: RunCluster) -> None:
    priority = f"high-{run_cluster.namespace}"
    configure = task(
        "Configure",
        "settings",
        timeout="60s",
        priorityClasses=[{"name": priority, "op": "create", "value": 90}],
        configmaps=[{"name": "c", "namespace": run_cluster.namespace, "op": "create", "data": {"a": "1"}}],
    )
    workflow = run_cluster.write(configure)
    run_cluster.run("run", workflow)
    assert run_cluster.left() == {"nodes": 2, "configmaps": 1, "namespaces": 1}
    changed = yaml.safe_load(workflow.read_text().replace("value: 90", "value: 30").replace("a: '1'", "b: '2'"))
    workflow.write_text(yaml.safe_dump(changed))
    done = run_cluster.run("run", workflow, "--cleanup")
    assert f"priority class {priority} replaced" in done.stderr
    assert f"config map {run_cluster.namespace}/c changed" in done.stderr
    # What the first run made existed before the second one, so it is as it was.
    assert run_cluster.left() == {"nodes": 2, "configmaps": 1, "namespaces": 1}
    assert run_cluster.ask(lambda client: client.get(PRIORITY_CLASSES, priority))["value"] == 90
    data = run_cluster.ask(lambda client: client.get(CONFIG_MAPS, "c", namespace=run_cluster.namespace))["data"]
    assert data == {"a": "1"}
    run_cluster.ask(lambda client: client.delete(PRIORITY_CLASSES, priority))


OWN_NAMES = """\
apiVersion: v1
kind: Namespace
metadata:
  name: {{.namespace}}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: {{.namespace}}
  finalizers: []
data:
  a: "{{.value}}"
"""


def test_objects_go_by_the_names_that_their_templates_give(run_cluster: RunCluster) -> None:
    """Several documents, cluster-scoped and namespaced, without a nameFormat; one file makes what the next one uses."""
    first = write(
        run_cluster.directory,
        register(nameFormat=None, podNameFormat=None, podCount=None),
        submit("own", params={"namespace": run_cluster.namespace, "value": 1}),
        name="1.yml",
        template=OWN_NAMES,
    )
    second = write(
        run_cluster.directory,
        task("CheckObj", "outer", refTaskId="own", state={"status": {"phase": "Active"}}, timeout="20s"),
        task("CheckObj", "inner", refTaskId="own", state={"data": {"a": "1"}}, index=1),
        name="2.yml",
        template=OWN_NAMES,
    )
    done = run_cluster.run("run", f"{first},{second}", "--cleanup")
    assert "4 tasks: 4 ok" in done.stderr
    assert run_cluster.left() == {}
    deletion = write(
        run_cluster.directory,
        task("DeleteObj", "gone", refTaskId="own", wait=True, timeout="60s"),
        name="3.yml",
        template=OWN_NAMES,
    )
    run_cluster.run("run", f"{first},{second},{deletion}")
    assert run_cluster.left() == {}


def test_an_object_that_exists_stops_the_run_unless_it_may(run_cluster: RunCluster) -> None:
    workflow = run_cluster.write(run_cluster.submit())
    run_cluster.run("run", workflow)
    done = run_cluster.run("run", workflow, "--cleanup", check=5)
    assert f"job: Job job1 exists already in namespace {run_cluster.namespace}" in done.stderr
    assert "nothing was changed" in done.stderr
    assert "set canExist: true" in done.stderr
    spec = yaml.safe_load(workflow.read_text())
    spec["tasks"][2]["params"]["canExist"] = True
    workflow.write_text(yaml.safe_dump(spec))
    done = run_cluster.run("run", workflow, "--cleanup")
    assert "nothing created, 1 existed" in done.stderr
    assert run_cluster.left()["jobs"] == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["job (SubmitObj)", "configure (Configure)"])
def test_an_interrupted_run_cleans_up(
    run_cluster: RunCluster, number: signal.Signals, moment: str, tmp_path: Path
) -> None:
    workflow = run_cluster.write(run_cluster.submit(count=100), task("Sleep", timeout="1h"))
    code, said = _interrupt(workflow, number, moment, "--cleanup", "--report", tmp_path / "report")
    assert code == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said
    assert run_cluster.left() == {}
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["result"] == "cancelled"


def test_an_interruption_without_cleanup_says_what_is_left(run_cluster: RunCluster) -> None:
    workflow = run_cluster.write(run_cluster.submit(count=3), task("Sleep", timeout="1h"))
    code, said = _interrupt(workflow, signal.SIGTERM, "job (SubmitObj)")
    assert code == 130, said
    assert "interrupted without --cleanup; left behind: 1 Namespace, 3 Jobs, 2 Nodes" in said
    assert run_cluster.left()["jobs"] == 3


def _interrupt(workflow: Path, number: signal.Signals, moment: str, *options: str | Path) -> tuple[int, str]:
    """Send a signal when a task has ended; returns the exit code and what was said."""
    command = [str(SCRIPT), "run", str(workflow), *map(str, options)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        try:
            for line in process.stderr:
                said += line
                if moment in line and "ok" in line:
                    process.send_signal(number)
            return process.wait(60), said
        finally:
            process.kill()


def test_a_kind_that_is_not_served_stops_the_run_before_it_begins(run_cluster: RunCluster) -> None:
    workflow = run_cluster.write(run_cluster.submit())
    (workflow.parent / "job.yml").write_text(JOB.replace("apiVersion: batch/v1", "apiVersion: batch.example.com/v1"))
    done = run_cluster.run("run", workflow, check=5)
    assert "does not serve batch.example.com/v1" in done.stderr
    assert run_cluster.left() == {}


@pytest.mark.parametrize(
    ("template", "spoil", "code", "said"),
    [
        (JOB.replace("{{.image}}", "{{.picture}}"), {}, 2, "job.yml:25), which is not given"),
        (JOB.replace("spec:", "spec: ["), {}, 3, "job.yml"),
        (JOB, {"refTaskId": "nowhere"}, 2, "no earlier RegisterObj task has the id 'nowhere'"),
        (JOB, {"count": -1}, 2, "-1 is out of range"),
        (JOB, {"cuont": 1}, 2, "did you mean 'count'?"),
    ],
)
def test_a_bad_workflow_changes_nothing(
    run_cluster: RunCluster, template: str, spoil: dict[str, Any], code: int, said: str
) -> None:
    submission = run_cluster.submit()
    submission["params"].update(spoil)
    workflow = run_cluster.write(submission)
    (workflow.parent / "job.yml").write_text(template)
    done = run_cluster.run("run", workflow, check=code)
    assert said in done.stderr
    assert run_cluster.left() == {}


def test_a_dry_run_prints_what_would_be_sent(run_cluster: RunCluster) -> None:
    workflow = run_cluster.write(run_cluster.submit(count=2))
    done = run_cluster.run("run", workflow, "--dry-run")
    kinds = [document["kind"] for document in yaml.safe_load_all(done.stdout)]
    assert kinds == ["Node", "Node", "Job", "Job"]
    assert "# 3. job (SubmitObj): 2 Jobs" in done.stdout
    assert run_cluster.left() == {}


CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: {{.plural}}.example.com
spec:
  group: example.com
  scope: Cluster
  names: {plural: "{{.plural}}", kind: "{{.kind}}"}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""


def test_a_run_may_define_the_kind_that_it_submits_next(run_cluster: RunCluster, tmp_path: Path) -> None:
    kind = f"K{run_cluster.namespace.removeprefix('run-')}"
    params = {"kind": kind, "plural": f"{kind.lower()}s"}
    none = {"nameFormat": None, "podNameFormat": None, "podCount": None}
    (tmp_path / "crd.yml").write_text(CRD)
    (tmp_path / "own.yml").write_text("{apiVersion: example.com/v1, kind: {{.kind}}, metadata: {name: own}, top: 1}")
    workflow = write(
        tmp_path,
        register("kinds", template="crd.yml", **none),
        register("objects", template="own.yml", **none),
        submit("kind", refTaskId="kinds", params=params),
        submit("own", refTaskId="objects", params=params),
        task("CheckObj", refTaskId="own", state={"top": 1}),
    )
    done = run_cluster.run("run", workflow, "--cleanup")
    assert f"1 CustomResourceDefinition, 1 {kind} removed" in done.stderr
    assert run_cluster.left() == {}


def test_what_becomes_of_pods_and_nodes_is_recorded(run_cluster: RunCluster, tmp_path: Path) -> None:
    report = tmp_path / "report"
    check = task("CheckPod", "check", refTaskId="job", status="Succeeded", timeout="60s")
    workflow = run_cluster.write(run_cluster.submit(count=2, pods=1, run="1s"), check)
    run_cluster.run("run", workflow, "--cleanup", "--report", report, "--record", "full")
    facts = facts_of(report / "recording.jsonl.gz")
    assert (facts[0]["fact"], facts[-1]["fact"]) == ("recording", "end")
    assert [fact["at"] for fact in facts] == sorted(fact["at"] for fact in facts)
    pods: dict[str, list[dict[str, Any]]] = {}
    for fact in facts:
        if fact["fact"] == "pod":
            pods.setdefault(fact["name"], []).append(fact)
    assert len(pods) == 2
    for events in pods.values():
        assert [fact["event"] for fact in events if fact["event"] in ("created", "bound", "running", "succeeded")] == [
            "created",
            "bound",
            "running",
            "succeeded",
        ]
        assert events[0]["requests"] == {"cpu": 0.1, "memory": 1_000_000, "nvidia.com/gpu": 8}
        assert events[0]["ownerKind"] == "Job"
    nodes = {fact["name"]: fact for fact in facts if fact["fact"] == "node" and fact["event"] == "seen"}
    assert {fact["node"] for events in pods.values() for fact in events if "node" in fact} == set(nodes)
    assert {fact["allocatable"]["nvidia.com/gpu"] for fact in nodes.values()} == {8}
    told = json.loads((report / "report.json").read_text())
    assert sum(fact["fact"] == "step" and fact["event"] == "ended" for fact in facts) >= told["counts"]["tasks"]["ok"]


def test_a_recording_needs_a_place_and_can_be_left_out(run_cluster: RunCluster, tmp_path: Path) -> None:
    workflow = run_cluster.write(run_cluster.submit())
    done = run_cluster.run("run", workflow, "--record", "pods", check=2)
    assert "--record pods needs --report" in done.stderr
    done = run_cluster.run("run", workflow, "--record", "full", "--report", tmp_path, "--server", "http://a", check=2)
    assert "--record full does not work with --server" in done.stderr
    done = run_cluster.run("run", workflow, "--cleanup", "--report", tmp_path / "report", "--record", "off")
    assert not (tmp_path / "report" / "recording.jsonl.gz").exists()
    workflow.write_text(workflow.read_text().replace("batch/v1", "batch/v9"))
    template = run_cluster.directory / "job.yml"
    template.write_text(template.read_text().replace("batch/v1", "batch/v9"))
    run_cluster.run("run", workflow, "--report", tmp_path / "none", check=5)
    assert not (tmp_path / "none" / "recording.jsonl.gz").exists()


def test_a_run_that_is_killed_leaves_what_it_recorded(run_cluster: RunCluster, tmp_path: Path) -> None:
    workflow = run_cluster.write(run_cluster.submit(run="1h"), task("Sleep", timeout="1h"))
    command = [str(SCRIPT), "run", str(workflow), "--report", str(tmp_path / "report")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=tmp_path) as process:
        deadline = time.monotonic() + 60
        while "bound" not in {fact.get("event") for fact in _so_far(tmp_path / "report")}:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.kill()
    facts = facts_of(tmp_path / "report" / "recording.jsonl.gz")
    assert {"created", "bound"} <= {fact.get("event") for fact in facts}
    assert facts[-1]["fact"] != "end"


def _so_far(directory: Path) -> list[dict[str, Any]]:
    path = directory / "recording.jsonl.gz"
    return facts_of(path) if path.exists() else []
