"""CheckMetric through `knavtool run`, asking the Prometheus of a local cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.control_plane import LocalCluster
from support.programs import program
from support.workflows import task, write

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("monitored")]

SERVING = 'sum(up{component="kube-apiserver"})'


@pytest.fixture(autouse=True)
def _helm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNAVTOOL_HELM_BINARY", str(program("helm")))


def metric(id_: str, query: str, op: str, value: float, **more: Any) -> Mapping[str, Any]:
    return task("CheckMetric", id_, query=query, op=op, value=value, **more)


def test_metrics_are_compared(whole: LocalCluster, tmp_path: Path) -> None:
    workflow = write(
        tmp_path,
        metric("up", SERVING, "==", 1, timeout="60s", **{"for": "2s"}),
        metric("scalar", "scalar(vector(3)) * 2", "==", 6),
        metric("waiting", 'sum(scheduler_pending_pods{queue="unschedulable"})', "==", 0, timeout="60s"),
        metric("all", "up or vector(2)", ">=", 3),
    )
    done = whole.cli("run", workflow, "--json", tmp_path / "r.json", check=1)
    assert f"{SERVING} == 1 for 2 s: 1" in done.stderr
    assert 'component="kube-apiserver"' in done.stderr
    assert "expected >= 3, actual 1" in done.stderr
    tasks = json.loads((tmp_path / "r.json").read_text())["run"]["steps"][0]["steps"]
    assert [one["result"] for one in tasks] == ["ok", "ok", "ok", "failed"]
    assert tasks[1]["data"]["samples"] == [{"labels": {}, "value": "6"}]


def test_what_cannot_be_asked_stops_the_run_before_it_begins(whole: LocalCluster, tmp_path: Path) -> None:
    workflow = write(tmp_path, task("Sleep", timeout="1h"), metric("a", "up{", "==", 1), metric("b", "up[1m]", "==", 1))
    done = whole.cli("run", workflow, check=2)
    assert "wf.yml:10:5: tasks[1].params.query: Prometheus refuses it: " in done.stderr
    assert "parse error" in done.stderr
    assert "tasks[2].params.query: Prometheus refuses it: the expression gives a matrix" in done.stderr
    good = write(tmp_path, task("Sleep", timeout="1h"), metric("a", "up", "==", 1))
    done = whole.cli("run", good, "--prometheus", "http://127.0.0.1:9", check=5)
    assert "ask Prometheus at http://127.0.0.1:9: " in done.stderr
    assert "try: is that Prometheus running? --prometheus names another" in done.stderr
    assert "--prometheus is no address" in whole.cli("run", good, "--prometheus", "localhost", check=2).stderr


def test_a_cluster_without_prometheus(whole: LocalCluster, tmp_path: Path) -> None:
    whole.up()  # takes Prometheus away
    done = whole.cli("run", write(tmp_path, metric("a", "up", "==", 1)), check=5)
    assert "error: no Prometheus watches the cluster at https://127.0.0.1:" in done.stderr
