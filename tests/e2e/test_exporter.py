"""`knavtool exporter` on real control planes: what it serves, and what Prometheus and the dashboard make of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from knavtool import resources
from knavtool.kube.resource import NAMESPACES
from support.cli import SCRIPT
from support.control_plane import LocalCluster
from support.exported import scraped, until, values
from support.programs import optional_program, program
from support.run_cluster import GPU_NODES, JOB, RunCluster
from support.workflows import register, submit, task, write

pytestmark = pytest.mark.cluster

GPU = "nvidia.com/gpu"
GANG = resources.data_directory() / "workflows/native-gang/templates/gang.yml"
DASHBOARDS = sorted((resources.chart("knavtool") / "dashboards").glob("*.json"))
IN_GRAFANA = {"$__rate_interval": "1m", "$__range": "5m", "$resource": GPU, "$node": ".*"}
"""What Grafana puts in the place of variables."""


class Exporter:
    """An exporter process; `url` is where it serves."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""
        assert process.stderr is not None
        while not (found := re.search(r"serving (http://\S+)/metrics for the cluster at https://", self.said)):
            line = process.stderr.readline()
            assert line, f"the exporter ended: {self.said}"
            self.said += line
        self.url = found[1]

    def status(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=30) as answer:  # noqa: S310 - our own http address
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal and wait; the exit code and the rest of stderr."""
        self.process.send_signal(number)
        _, rest = self.process.communicate(timeout=60)
        return self.process.returncode, rest


@pytest.fixture
def exporting(control_plane: LocalCluster) -> Iterator[Callable[..., Exporter]]:
    """Start exporters for the control plane; those that still run at the end are killed."""
    begun: list[subprocess.Popen[str]] = []

    def start(*options: str) -> Exporter:
        cluster = {"KNAVTOOL_KUBECONFIG": str(control_plane.kubeconfig), "KNAVTOOL_CONTEXT": control_plane.context}
        begun.append(
            subprocess.Popen(
                [str(SCRIPT), "exporter", "--listen", "127.0.0.1:0", *options],
                env=os.environ | cluster,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return Exporter(begun[-1])

    yield start
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_series_come_and_go_with_nodes_and_pods(exporting: Callable[..., Exporter], run_cluster: RunCluster) -> None:
    exporter = exporting("--node-label", "nvidia.com/gpu.count")
    workflow = run_cluster.write(
        run_cluster.submit(pods=1, gpu=6, id_="running"),
        task("CheckPod", refTaskId="running", status="Running", timeout="30s"),
        run_cluster.submit(pods=2, gpu=8, id_="waiting"),
        task("CheckPod", "one", refTaskId="waiting", status="Running", count=1, timeout="30s"),
    )
    run_cluster.run("run", workflow)
    found = until(exporter.url, lambda seen: values(seen, "knavtool_pending_pods", "state").get("unschedulable") == 1)
    occupancy = values(found, "node_resource_occupancy", "node", resource=GPU, nvidia_com_gpu_count="8")
    assert sorted(occupancy.values()) == [75, 100]
    assert sum(values(found, "node_resource_requests", "node", resource=GPU).values()) == 14
    assert sum(values(found, "node_resource_limits", "node", resource=GPU).values()) == 14
    assert sum(values(found, "node_resource_requests", "node", resource="cpu").values()) == pytest.approx(0.2)
    assert values(found, "knavtool_free_block_nodes", "free_gpus") == {"8+": 0, "4-7": 0, "1-3": 1, "0": 1}
    for name, value in {"allocatable": 16, "free": 2, "stranded": 2}.items():
        assert list(found[f"knavtool_{name}_gpus"].values()) == [value]
    run_cluster.ask(lambda client: client.delete(NAMESPACES, run_cluster.namespace))
    until(exporter.url, lambda seen: list(seen["knavtool_free_gpus"].values()) == [16])
    run_cluster.run("nodes", "delete", "--all")
    found = until(exporter.url, lambda seen: list(seen["knavtool_allocatable_gpus"].values()) == [0])
    assert not [name for name in found if name.startswith("node_")]
    assert (exporter.status("/healthz"), exporter.status("/readyz"), exporter.status("/")) == (200, 200, 404)
    code, rest = exporter.end(signal.SIGINT)
    assert (code, rest) == (0, "")


def test_options_that_cannot_be_used(control_plane: LocalCluster) -> None:
    done = control_plane.cli("exporter", "--listen", "127.0.0.1", check=2)
    assert "--listen 127.0.0.1: expected HOST:PORT" in done.stderr
    done = control_plane.cli("exporter", "--listen", "127.0.0.1:0", "--resource", "cpu,,memory", check=2)
    assert "--resource cpu,,memory: '' is not a name" in done.stderr
    done = control_plane.cli("exporter", "--listen", "127.0.0.1:0", "--node-label", "resource", check=2)
    assert "its label in metrics would be resource, which is one of our own" in done.stderr


def panels(dashboard: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(title of the panel, query with everything filled in that Grafana fills in)."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            query = target["expr"]
            for variable, value in IN_GRAFANA.items():
                query = query.replace(variable, value)
            yield f"{panel['title']} {target['refId']}", query


def test_prometheus_has_data_for_every_panel_of_the_dashboards(
    own: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KNAVTOOL_HELM_BINARY", str(program("helm")))
    own.up("--with", "exporter,native-gang", prometheus=True)
    queries = [one for file in DASHBOARDS for one in panels(json.loads(file.read_text()))]
    assert len(queries) >= 20
    assert not [query for _, query in queries if "$" in query]
    pods = {"backoffLimit": 0, "completionMode": "Indexed", "image": "none", "cpu": "100m", "memory": "1M", "ttl": "1h"}

    def job(id_: str, parallelism: int, gpu: int) -> dict[str, Any]:
        params = {"namespace": "default", "parallelism": parallelism, "completions": parallelism, "gpu": gpu, **pods}
        return submit(id_, params=params)

    workflow = write(
        tmp_path,
        task("Configure", timeout="60s", nodes=GPU_NODES),
        register(podNameFormat="{{._NAME_}}-.*"),
        # A rate needs a sample from before.
        task("CheckMetric", "before", query="knavtool_gang_wait_seconds_count", op="==", value=0, timeout="90s"),
        register("group", template=str(GANG), podNameFormat="{{._NAME_}}-.*", podCount="{{.replicas}}"),
        submit("gang", refTaskId="group", params={"namespace": "default", "replicas": 2, "gpu": 6, "ttl": "1h"}),
        task("CheckPod", refTaskId="gang", status="Running", timeout="30s"),
        job("waiting", 1, 8),
        *(
            # A query of a panel that gives nothing, or only what is not a number, gives no data.
            task("CheckMetric", f"panel-{number}", query=f"count(({query}) >= 0)", op=">=", value=1, timeout="90s")
            for number, (_, query) in enumerate(queries)
        ),
        task("CheckMetric", "occupancy", query=f'avg(node_resource_occupancy{{resource="{GPU}"}})', op="==", value=75),
        task("CheckMetric", "stranded", query="knavtool_stranded_gpus", op="==", value=4, timeout="30s"),
        task("CheckMetric", "gangs", query="knavtool_gang_wait_seconds_count", op="==", value=1, timeout="60s"),
        template=JOB,
    )
    own.cli("run", workflow, timeout=600)
    url = own.ready_url("exporter").removesuffix("/readyz")

    os.kill(own.pids()["kube-apiserver"], signal.SIGKILL)
    found = until(url, lambda seen: list(seen["knavtool_api_server_up"].values()) == [0])
    assert sum(values(found, "node_resource_requests", "node", resource=GPU).values()) == 12
    own.up(prometheus=True)
    until(url, lambda seen: list(seen["knavtool_api_server_up"].values()) == [1])

    checked = subprocess.run(
        [optional_program("promtool"), "check", "metrics"], input=scraped(url), capture_output=True, text=True
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_configuration_of_prometheus_is_sound(tmp_path: Path) -> None:
    """As it is written for a cluster; the files that it names are looked for too."""
    text = resources.override("prometheus/prometheus.yml").read_text()
    for name in ("admin.crt", "admin.key", "token"):
        (tmp_path / name).write_text("")
    for variable, value in {"targets": tmp_path, "pki": tmp_path, "metrics_token": tmp_path / "token"}.items():
        text = text.replace(f"${{{variable}}}", str(value))
    file = tmp_path / "prometheus.yml"
    file.write_text(text)
    checked = subprocess.run(
        [optional_program("promtool"), "check", "config", "--syntax-only", file], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr
