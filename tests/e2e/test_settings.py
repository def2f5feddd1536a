"""Settings of components and of the control plane: given, changed, refused, dropped, on a real control plane."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from knavtool.kube.client import Client
from knavtool.kube.resource import CONFIG_MAPS, PODS
from knavtool.kube.waiting import until
from support.cli import SCRIPT
from support.control_plane import CONTROL_PLANE, LocalCluster

pytestmark = pytest.mark.cluster
in_settings = pytest.mark.xdist_group("settings")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """The cluster with Kueue of these tests, whose settings are those that the last test left."""
    cluster = LocalCluster(root=tmp_path_factory.mktemp("settings"), name="settings")
    try:
        cluster.up("--with", "kueue")
        yield cluster
    finally:
        cluster.down()
        assert cluster.processes() == {}


@pytest.fixture
def lab(made: LocalCluster) -> LocalCluster:
    """The cluster without settings."""
    made.up("--reset", "kueue,kube-scheduler")
    return made


def others(before: dict[str, int], after: dict[str, int], changed: str) -> bool:
    """Whether all processes but one are those of before."""
    assert before[changed] != after[changed]
    return before | {changed: 0} == after | {changed: 0}


def configuration(cluster: LocalCluster, component: str = "kueue") -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((cluster.files.component(component) / "config.yaml").read_text())
    return read


def settings(cluster: LocalCluster) -> dict[str, Any]:
    return {name: row["settings"] for name, row in cluster.status().items()}


def write(cluster: LocalCluster, name: str, text: str) -> Path:
    file = cluster.root / name
    file.write_text(text)
    return file


@in_settings
def test_a_field_restarts_the_process_that_has_it_and_stays(lab: LocalCluster) -> None:
    before, own = lab.pids(), configuration(lab)
    planned = lab.up("--set", "kueue.integrations=batch", "--dry-run").stdout
    assert planned == "start kueue again with --set kueue.integrations=batch\n"
    assert lab.pids() == before

    lab.up("--set", "kueue.integrations=batch")
    changed = lab.pids()
    assert others(before, changed, "kueue")
    assert configuration(lab) == own | {"integrations": {"frameworks": ["batch/job"]}}
    row = lab.status()["kueue"]
    assert (row["state"], row["differs"], row["settings"]) == (
        "healthy",
        "integrations=batch",
        {"fields": {"integrations": "batch"}},
    )
    assert "integrations=batch" in lab.cli("cluster", "status", "--name", lab.name).stdout

    for again in ([], ["--set", "kueue.integrations=batch"]):
        assert "nothing to do" in lab.up(*again).stdout
        assert lab.pids() == changed
    lab.up("--reset", "kueue")
    assert others(changed, lab.pids(), "kueue")
    assert configuration(lab) == own
    assert lab.status()["kueue"]["differs"] == ""


@in_settings
def test_files_are_merged_or_taken_whole(lab: LocalCluster) -> None:
    own = configuration(lab)
    theirs = write(
        lab, "theirs.yaml", "webhook: {port: 9443}\nmanageJobsWithoutQueueName: true\nclientConnection: {qps: 1}\n"
    )
    said = lab.up("--config", f"kueue={theirs}").stderr
    assert "webhook.port stays as it was, because knavtool needs it so" in said
    merged = configuration(lab)
    assert merged == own | {
        "manageJobsWithoutQueueName": True,
        "clientConnection": {"qps": 1, "burst": own["clientConnection"]["burst"]},
    }
    assert lab.status()["kueue"]["differs"] == "clientConnection.qps=1, manageJobsWithoutQueueName=true"

    before = lab.pids()
    refused = lab.up("--config", f"kueue={theirs}", "--replace", check=2).stderr
    assert "knavtool needs these to be\n  webhook.port: ${port_webhook}\n" in refused
    template = Path("charts/overrides/kueue/config.yaml").read_text()
    whole = write(lab, "whole.yaml", f"# all of it\n{re.sub(r'Job.batch: [0-9]+', 'Job.batch: 3', template)}")
    assert lab.pids() == before
    lab.up("--config", f"kueue={whole}", "--replace")
    assert (lab.files.component("kueue") / "config.yaml").read_text().startswith("# all of it\n")
    assert configuration(lab)["webhook"] == own["webhook"]
    assert configuration(lab)["controller"]["groupKindConcurrency"]["Job.batch"] == 3


@in_settings
def test_arguments_and_variables(lab: LocalCluster) -> None:
    before = lab.pids()
    lab.up("--args", "kueue=--zap-log-level=debug", "--env", "kueue=GOGC=50", "--env", "kueue=GOMEMLIMIT-")
    after = lab.pids()
    assert others(before, after, "kueue")
    command = Path(f"/proc/{after['kueue']}/cmdline").read_text().split("\0")
    variables = Path(f"/proc/{after['kueue']}/environ").read_text().split("\0")
    assert "--zap-log-level=debug" in command
    assert f"--config={lab.files.component('kueue')}/config.yaml" in command
    assert "GOGC=50" in variables
    assert not any(one.startswith("GOMEMLIMIT=") for one in variables)
    # A keeper starts it again as it was.
    os.kill(after["kueue"], signal.SIGKILL)
    again = lab.until_restarted("kueue", after["kueue"])
    assert Path(f"/proc/{again}/cmdline").read_text().split("\0") == command


@in_settings
@pytest.mark.parametrize(
    ("options", "process", "line"),
    [
        (["--set", "kueue.integrationz=1"], "kueue", 'unknown field "integrationz"'),
        (["--args", "kueue=--nope=1"], "kueue", "flag provided but not defined: -nope"),
        (["--set", "kube-scheduler.nope=1"], "kube-scheduler", r"unknown field \"nope\""),
        (
            ["--set", "kube-scheduler.profiles[0].plugins.score.enabled[name=Nope].weight=1"],
            "kube-scheduler",
            r"ScorePlugin \"Nope\" does not exist",
        ),
        (["--args", "kube-controller-manager=--nope"], "kube-controller-manager", "unknown flag: --nope"),
        (["--args", "kube-apiserver=--nope"], "kube-apiserver", "unknown flag: --nope"),
        (["--args", "etcd=--nope"], "etcd", "flag provided but not defined: -nope"),
    ],
)
def test_a_process_that_does_not_take_its_settings_gets_the_former_ones(
    lab: LocalCluster, options: list[str], process: str, line: str
) -> None:
    lab.up("--set", "kueue.manageJobsWithoutQueueName=true", "--set", "kube-scheduler.percentageOfNodesToScore=50")
    before, kept = lab.pids(), settings(lab)
    done = lab.up(*options, check=4)
    asked = " ".join(options)
    assert f"error: {process} ended when it was started with {asked}; {lab.files.log(process)} says:\n" in done.stderr
    said = done.stderr.partition(f"error: {process} ended")[2]
    assert line in said
    assert "Usage" not in said
    assert len(re.findall(r"^  \| ", said, re.MULTILINE)) <= 3
    assert f"nothing has changed: {process} runs with its former settings" in done.stderr
    assert others(before, lab.pids(), process)
    assert {row["state"] for row in lab.status().values()} == {"healthy"}
    assert settings(lab) == kept
    assert "nothing to do" in lab.up().stdout


@in_settings
def test_an_interrupted_change_is_undone(lab: LocalCluster) -> None:
    before, own = lab.pids(), configuration(lab)
    command = [str(SCRIPT), "cluster", "up", "--name", lab.name, "--no-prometheus", "--set", "kueue.integrations=batch"]
    environment = {**os.environ, **lab.environment}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 60
            while lab.pids().get("kueue", before["kueue"]) == before["kueue"]:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.002)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=60)[1]
        finally:
            process.kill()
    assert process.returncode == 130, said
    assert "nothing has changed: kueue runs with its former settings" in said
    assert configuration(lab) == own
    assert others(before, lab.pids(), "kueue")
    assert lab.status()["kueue"]["settings"] == {}
    assert "nothing to do" in lab.up().stdout


@in_settings
def test_a_change_that_was_killed_is_undone_by_the_next_up(lab: LocalCluster) -> None:
    before, own = lab.pids(), configuration(lab)
    command = [str(SCRIPT), "cluster", "up", "--name", lab.name, "--no-prometheus", "--set", "kueue.integrations=batch"]
    with subprocess.Popen(command, env={**os.environ, **lab.environment}, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while lab.pids().get("kueue", before["kueue"]) == before["kueue"]:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.kill()
    assert configuration(lab) != own
    assert "start kueue again" in lab.up("--dry-run").stdout
    lab.up()
    assert configuration(lab) == own


def bound(cluster: LocalCluster, prefix: str, count: int) -> list[str]:
    """The nodes of pods that are made one after the other, each when the one before has its node."""

    async def ask(client: Client) -> list[str]:
        nodes = []
        for number in range(count):
            name = f"{prefix}-{number}"
            container = {"name": "c", "image": "none", "resources": {"limits": {"nvidia.com/gpu": "1"}}}
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [container]}}
            await client.create(PODS, pod, namespace="default")
            nodes.append(
                await until(
                    client,
                    PODS,
                    lambda seen, name=name: seen[("default", name)]["spec"].get("nodeName"),  # type: ignore[misc]
                    timeout=60,
                    namespace="default",
                    field_selector=f"metadata.name={name}",
                )
            )
        for number in range(count):
            await client.delete(PODS, f"{prefix}-{number}", namespace="default")
        await until(client, PODS, lambda seen: None if seen else True, timeout=60, namespace="default")
        return nodes

    return cluster.ask(ask)


@in_settings
def test_the_scheduler_packs_or_spreads(lab: LocalCluster) -> None:
    values = write(lab, "values.yaml", "nodes:\n- {type: dgxa100.80g, count: 2}\n")
    lab.cli("nodes", "apply", "-f", values)
    before = lab.pids()
    lab.up("--set", "kube-scheduler.scoring=MostAllocated")
    packing = lab.pids()
    assert others(before, packing, "kube-scheduler")
    assert len(set(bound(lab, "packed", 4))) == 1
    lab.up("--set", "kube-scheduler.scoring=LeastAllocated", "--set", "kube-scheduler.percentageOfNodesToScore=100")
    assert others(packing, lab.pids(), "kube-scheduler")
    spread = bound(lab, "spread", 4)
    assert sorted(spread.count(node) for node in set(spread)) == [2, 2]
    row = lab.status()["kube-scheduler"]
    assert row["differs"] == "scoring=LeastAllocated, percentageOfNodesToScore=100"
    assert configuration(lab, "kube-scheduler")["percentageOfNodesToScore"] == 100
    # kwokctl starts it so too, and without settings as before.
    listed = {one["name"]: one for one in _components(lab)}
    assert f"--config={lab.files.component('kube-scheduler')}/config.yaml" in listed["kube-scheduler"]["args"]
    lab.up("--reset", "kube-scheduler")
    assert _components(lab) == _components(lab, lab.files.kwokctl_made)


def _components(cluster: LocalCluster, file: Path | None = None) -> list[dict[str, Any]]:
    documents = yaml.safe_load_all((file or cluster.files.kwokctl).read_text())
    (listed,) = (one["components"] for one in documents if one["kind"] == "KwokctlConfiguration")
    return [one for one in listed if one["name"] in CONTROL_PLANE]


@in_settings
def test_a_configuration_in_an_object(lab: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(lab.root / ".config"))
    records = lab.root / ".config" / "knavtool" / "components"
    records.mkdir(parents=True, exist_ok=True)
    queues = {"queues.yaml": "partitions:\n- name: default\n  queues: [{name: root}]\n"}
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "default", "name": "web-configs"}
    metadata = {"namespace": "default", "name": "web-configs"}
    write(
        lab, "web.yaml", yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": queues})
    )
    process = {
        "name": "web",
        "program": "web-python",
        "ports": ["http"],
        "args": ["-m", "http.server", "--bind=127.0.0.1", "${port_http}"],
        "ready": "http://127.0.0.1:${port_http}/",
    }
    face = {
        "overrides": [str(lab.root / "web.yaml")],
        "config": {"object": reference, "key": "queues.yaml"},
        "processes": [process],
    }
    record = {
        "name": "web",
        "title": "Web",
        "description": "Made for a test.",
        "version": "v1.0.0",
        "programs": {"web-python": {"interpreter": True}},
        "faces": {"process": face},
    }
    (records / "web.yaml").write_text(yaml.safe_dump(record))

    def told() -> Any:
        found = lab.ask(lambda client: client.get(CONFIG_MAPS, "web-configs", namespace="default"))
        return yaml.safe_load(found["data"]["queues.yaml"])["partitions"][0]

    try:
        lab.up("--with", "web", "--set", "web.partitions[name=default].preemption={enabled: true}")
        assert told() == {"name": "default", "queues": [{"name": "root"}], "preemption": {"enabled": True}}
        before = lab.pids()
        lab.up("--set", "web.partitions[name=default].limit=3")
        assert told()["limit"] == 3
        assert lab.pids() == before
        assert "limit=3" in json.dumps(lab.status()["web"]["settings"]).replace('": 3', "=3")
        assert "nothing to do" in lab.up().stdout
        lab.up("--reset", "web")
        assert told() == {"name": "default", "queues": [{"name": "root"}]}
        assert lab.pids() == before
    finally:
        lab.up("--without", "web")


def test_a_new_cluster_has_its_settings_or_nothing_is_left(own: LocalCluster) -> None:
    done = own.up("--set", "kube-scheduler.nope=1", check=4)
    assert "kube-scheduler ended when it was started with --set kube-scheduler.nope=1" in done.stderr
    assert own.processes() == {}
    assert not own.files.directory.exists()
    own.up(
        "--set",
        "kube-scheduler.scoring=MostAllocated",
        "--args",
        "kube-apiserver=--v=1",
        "--args",
        "etcd=--log-level=error",
    )
    rows = own.status()
    assert {row["state"] for row in rows.values()} == {"healthy"}
    differs = {name: row["differs"] for name, row in rows.items() if row["differs"]}
    assert differs == {
        "etcd": "--log-level=error",
        "kube-apiserver": "--v=1",
        "kube-scheduler": "scoring=MostAllocated",
    }
    before = own.pids()
    assert "nothing to do" in own.up().stdout
    for name in ("kube-scheduler", "kube-apiserver"):
        os.kill(before[name], signal.SIGKILL)
    own.up()
    command = Path(f"/proc/{own.pids()['kube-scheduler']}/cmdline").read_text().split("\0")
    assert f"--config={own.files.component('kube-scheduler')}/config.yaml" in command
    assert "--v=1" in Path(f"/proc/{own.pids()['kube-apiserver']}/cmdline").read_text().split("\0")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--set", "kueue.a=1"], "--set kueue: the cluster has no kueue\ntry: add it with --with kueue"),
        (["--set", "kube-schedular.a=1"], "no component 'kube-schedular'; did you mean 'kube-scheduler'?"),
        (["--set", "kube-scheduler.scoring=Most"], "scoring=Most: expected LeastAllocated or MostAllocated"),
        (["--set", "kube-scheduler.clientConnection.kubeconfig=x"], "clientConnection.kubeconfig is ${kubeconfig}"),
        (["--set", "kube-scheduler.kind.x=1"], "so it has no key x"),
        (["--set", "kube-scheduler.a=1", "--set", "kube-scheduler.a=2"], "is given twice, with 1 and 2"),
        (["--set", "etcd.a=1"], "etcd has no configuration that its record names"),
        (["--args", "kube-apiserver=--secure-port=1"], "knavtool needs --secure-port of kube-apiserver as it is"),
        (
            ["--with", "volcano", "--args", "volcano=--v=1"],
            "volcano has the processes volcano-webhook-manager, volcano-",
        ),
        (["--with", "kueue", "--set", "kueue.x=${port_http}"], "there is no port_http"),
        (["--config", "kube-scheduler=/nowhere"], "/nowhere: no such file"),
        (["--replace"], "--replace is for files that --config names"),
        (["--engine", "existing", "--set", "kwok.a=1"], "with --engine local only"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_anything_starts(
    own: LocalCluster, options: list[str], told: str
) -> None:
    assert told in own.up(*options, check=2).stderr
    assert not own.files.directory.exists()
