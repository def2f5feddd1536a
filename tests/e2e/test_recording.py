"""What a recording takes from a local cluster: moments from the audit log, requests, samples of processes."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from support.cli import SCRIPT
from support.control_plane import LocalCluster
from support.recordings import facts_of
from support.run_cluster import RunCluster
from support.workflows import task

pytestmark = pytest.mark.cluster

CLOCK_ERROR = 0.001


@pytest.fixture
def local(run_cluster: RunCluster, control_plane: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> RunCluster:
    """The shared control plane, which the user of these tests has made."""
    monkeypatch.setenv("XDG_DATA_HOME", str(control_plane.root / "data"))
    return run_cluster


def recorded(cluster: RunCluster, report: Path) -> dict[str, list[dict[str, Any]]]:
    """The facts of a run of two Jobs, by what they are."""
    check = task("CheckPod", "check", refTaskId="job", status="Succeeded", timeout="60s")
    workflow = cluster.write(cluster.submit(count=2, pods=1, run="1s"), check)
    cluster.run("run", workflow, "--cleanup", "--report", report, "--record", "full")
    facts: dict[str, list[dict[str, Any]]] = {}
    for fact in facts_of(report / "recording.jsonl.gz"):
        facts.setdefault(fact["fact"], []).append(fact)
    return facts


def test_moments_are_those_of_the_audit_log(local: RunCluster, control_plane: LocalCluster, tmp_path: Path) -> None:
    facts = recorded(local, tmp_path / "report")
    assert [(one["clock"], one.get("reason")) for one in facts["clock"]] == [("audit", None)]
    pods = [fact for fact in facts["pod"] if fact["event"] in ("created", "bound", "running", "ready", "succeeded")]
    assert len(pods) == 10
    assert [fact["event"] for fact in pods if "seen" not in fact] == []
    lags = [fact["seen"] - fact["at"] for fact in pods]
    assert min(lags) >= -CLOCK_ERROR
    assert statistics.median(lags) < 5
    for name in {fact["name"] for fact in pods}:
        at = {fact["event"]: fact["at"] for fact in pods if fact["name"] == name}
        assert list(at) == ["created", "bound", "running", "ready", "succeeded"]
        assert list(at.values()) == sorted(at.values())
        # What ran for a second did so by this clock too.
        assert 0.9 < at["succeeded"] - at["running"] < 30
    log = control_plane.files.audit_log
    assert log.stat().st_mode & 0o777 == 0o600


def test_requests_are_counted_by_who_asked(local: RunCluster, tmp_path: Path) -> None:
    facts = recorded(local, tmp_path / "report")
    counts: dict[tuple[str, str, str], int] = {}
    for one in facts["requests"]:
        key = one["agent"], one["verb"], one["resource"]
        counts[key] = counts.get(key, 0) + one["count"]
    assert counts["knavtool", "create", "jobs"] == 2
    assert counts["kube-controller-manager", "create", "pods"] == 2
    assert counts["kube-scheduler", "create", "pods/binding"] == 2
    assert counts["kwok", "patch", "pods/status"] >= 4
    assert not [key for key in counts if key[2] in ("events", "leases")]


def test_processes_are_sampled_and_described(local: RunCluster, tmp_path: Path) -> None:
    facts = recorded(local, tmp_path / "report")
    running = {"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"}
    samples: dict[str, list[dict[str, Any]]] = {}
    for one in facts["process"]:
        samples.setdefault(one["process"], []).append(one)
    assert set(samples) == running | {"knavtool"}
    for of in samples.values():
        assert [one["cpu"] for one in of] == sorted(one["cpu"] for one in of)
        assert all(one["memory"] > 5_000_000 for one in of)
    # At the beginning, at the end, and each second between.
    assert len(facts["machine"]) == len(facts["loop"]) == len(samples["knavtool"]) >= 3
    assert {one["name"] for one in facts["component"]} == running
    told = {one["name"]: one for one in facts["component"]}
    assert "kube-api-qps=5000" in told["kube-scheduler"]["settings"]
    assert told["kwok"]["version"].startswith("v")
    bounds = {(name, one["name"], one.get("of", "")): one for name in running for one in told[name]["tunables"]}
    assert bounds["kube-scheduler", "clientQPS", ""] == {"name": "clientQPS", "value": "5000", "source": "flag"}
    assert bounds["kwok", "workers", "Pod"]["source"] == "configuration"
    assert bounds["etcd", "processors", ""]["value"] == "1"
    assert all("value" in one for one in bounds.values())
    assert not [one for one in facts["component"] if "key" in one["settings"] or "token" in one["settings"]]
    (environment,) = facts["environment"]
    assert environment["server"].startswith("v1.")
    assert environment["context"] == "knavtool-shared"


def test_a_run_that_is_killed_has_recorded_moments_too(local: RunCluster, tmp_path: Path) -> None:
    report = tmp_path / "report"
    recording = report / "recording.jsonl.gz"
    workflow = local.write(local.submit(run="1h"), task("Sleep", timeout="1h"))
    command = [str(SCRIPT), "run", str(workflow), "--report", str(report)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=tmp_path) as process:
        deadline = time.monotonic() + 60
        while not recording.exists() or "bound" not in {fact.get("event") for fact in facts_of(recording)}:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.kill()
    facts = facts_of(recording)
    assert facts[-1]["fact"] != "end"
    moments = {fact["event"]: fact.get("seen") for fact in facts if fact["fact"] == "pod"}
    assert moments["created"] is not None
    assert moments["bound"] is not None


def test_a_log_that_is_not_there_is_no_reason_to_fail(
    local: RunCluster, control_plane: LocalCluster, tmp_path: Path
) -> None:
    log = control_plane.files.audit_log
    away = log.rename(log.with_name("away"))
    try:
        facts = recorded(local, tmp_path / "report")
    finally:
        away.rename(log)
    (clock,) = facts["clock"]
    assert (clock["clock"], clock["reason"]) == ("watch", f"{log} cannot be read: No such file or directory")
    assert not [fact for fact in facts["pod"] if "seen" in fact]
    assert "requests" not in facts
    assert "etcd" in {fact["process"] for fact in facts["process"]}


def test_a_cluster_of_others_has_only_the_watch(run_cluster: RunCluster, tmp_path: Path) -> None:
    facts = recorded(run_cluster, tmp_path / "report")
    (clock,) = facts["clock"]
    assert (clock["clock"], clock["reason"]) == ("watch", "the cluster is not a local one")
    assert {fact["process"] for fact in facts["process"]} == {"knavtool"}
    assert "component" not in facts


def test_a_cluster_can_do_without_an_audit_log(own: LocalCluster) -> None:
    own.up("--audit-log", "off")
    assert own.status()["kube-apiserver"]["audit_log"] == ""
    assert not own.files.audit_log.exists()
    done = own.up("--audit-log", "on", check=2)
    assert "exists with --audit-log off, not on" in done.stderr
    # A cluster of a knavtool that knew no audit logs.
    content = json.loads(own.files.record.read_text())
    del content["audit_log"]
    own.files.record.write_text(json.dumps(content))
    assert "nothing to do" in own.up().stdout


def test_the_audit_log_holds_no_more_than_it_has_to(control_plane: LocalCluster) -> None:
    assert control_plane.status()["kube-apiserver"]["audit_log"] == str(control_plane.files.audit_log)
    full: set[tuple[str, str]] = set()
    for line in control_plane.files.audit_log.read_text().splitlines():
        event = json.loads(line)
        assert event["stage"] == "ResponseComplete"
        assert event["objectRef"]["resource"] not in ("events", "leases")
        assert event["verb"] != "watch"
        if "requestObject" in event or "responseObject" in event:
            full.add((event["verb"], event["objectRef"]["resource"]))
    assert full <= {("create", "pods")}
