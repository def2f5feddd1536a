"""A component with a controller and webhooks on a real control plane: added, used, hurt, and removed again."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import stat
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from knavtool.errors import ClusterError
from knavtool.kube.client import Client
from knavtool.kube.gateway import Change
from knavtool.kube.resource import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEVICE_CLASSES,
    JOBS,
    NAMESPACES,
    Resource,
)
from knavtool.kube.waiting import until
from support import processes
from support.cli import SCRIPT
from support.control_plane import CONTROL_PLANE, LocalCluster
from support.sockets import listening

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("components")]

JOBSETS = Resource("jobset.x-k8s.io", "v1alpha2", "jobsets", "JobSet", namespaced=True)
MUTATING, VALIDATING = (
    Resource("admissionregistration.k8s.io", "v1", f"{kind.lower()}s", kind, namespaced=False)
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
)
DEFINITION = f"{JOBSETS.plural}.{JOBSETS.group}"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """The cluster of these tests; whatever one did to it, the next begins with `lab` or `bare`."""
    made = LocalCluster(root=tmp_path_factory.mktemp("components"), name="components")
    try:
        yield made
    finally:
        made.down()
        assert made.processes() == {}
        assert not made.files.directory.exists()


@pytest.fixture
def lab(cluster: LocalCluster) -> LocalCluster:
    """The cluster with JobSet, all of it running."""
    cluster.up("--with", "jobset")
    return cluster


@pytest.fixture
def bare(cluster: LocalCluster) -> LocalCluster:
    """The cluster without JobSet."""
    cluster.up("--without", "jobset")
    return cluster


def kill(*numbers: int) -> None:
    """Kill processes and wait until they are gone."""
    for number in numbers:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    assert processes.survivors(list(numbers), within=10) == []


def hooks(cluster: LocalCluster) -> list[dict[str, Any]]:
    """All webhooks of the cluster."""

    async def ask(client: Client) -> list[dict[str, Any]]:
        found = [one for kind in (MUTATING, VALIDATING) for one in await client.list(kind)]
        return [hook for one in found for hook in one["webhooks"]]

    return cluster.ask(ask)


def jobset(name: str, **spec: Any) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "none"}]}
    job = {"name": "workers", "replicas": 2, "template": {"spec": {"template": {"spec": pod}}}}
    return {
        "apiVersion": JOBSETS.api_version,
        "kind": JOBSETS.kind,
        "metadata": {"name": name},
        "spec": {"replicatedJobs": [job], **spec},
    }


INVALID = {"successPolicy": {"operator": "All", "targetReplicatedJobs": ["nobody"]}}


def works(cluster: LocalCluster, name: str) -> None:
    """The webhooks complete and refuse, and the controller makes Jobs."""

    async def ask(client: Client) -> None:
        with pytest.raises(ClusterError, match=r"admission webhook .*jobset.* denied the request"):
            await client.create(JOBSETS, jobset(f"{name}-bad", **INVALID), namespace="default")
        await client.create(JOBSETS, jobset(name), namespace="default")
        made = await client.get(JOBSETS, name, namespace="default")
        # What the user did not say is said by the mutating webhook.
        assert made["spec"]["network"]["enableDNSHostnames"] is True
        wanted = {f"{name}-workers-{number}" for number in range(2)}
        await until(
            client,
            JOBS,
            lambda seen: True if wanted <= {job for _, job in seen} else None,
            timeout=60,
            namespace="default",
        )
        await client.delete(JOBSETS, name, namespace="default")
        await until(client, JOBS, lambda seen: None if seen else True, timeout=60, namespace="default")

    cluster.ask(ask)


def states(cluster: LocalCluster, *, check: int = 0) -> dict[str, str]:
    return {name: row["state"] for name, row in cluster.status(check=check).items()}


def test_webhooks_come_when_their_server_listens(bare: LocalCluster) -> None:
    """Whoever learns of a webhook from the API server finds somebody who answers."""
    assert hooks(bare) == []

    async def follow(client: Client) -> int:
        answered = 0
        adding = asyncio.create_task(asyncio.to_thread(bare.up, "--with", "jobset"))
        async for event in client.watch(VALIDATING):
            if event.change is Change.ADDED and not event.synced:
                for hook in event.object["webhooks"]:
                    url = urlsplit(hook["clientConfig"]["url"])
                    with socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=5):
                        answered += 1
                break
        await adding
        return answered

    assert bare.ask(follow) > 0
    assert states(bare) == dict.fromkeys([*CONTROL_PLANE, "kwok", "jobset"], "healthy")
    works(bare, "first")


def test_the_control_plane_knows_new_kinds_when_up_ends(bare: LocalCluster) -> None:
    """The garbage collector reads them when it starts, and then every half minute: it must be younger than they."""
    before = bare.pids()
    bare.up("--with", "jobset")
    after = bare.pids()
    manager = "kube-controller-manager"
    assert after.pop(manager) != before.pop(manager)
    assert before.items() <= after.items()

    async def ask(client: Client) -> tuple[str, list[str]]:
        definition = await client.get(CUSTOM_RESOURCE_DEFINITIONS, DEFINITION)
        left = [one["metadata"]["name"] for one in await client.list(CONFIG_MAPS, namespace="kube-system")]
        return definition["metadata"]["creationTimestamp"], left

    made, left = bare.ask(ask)
    started = Path(f"/proc/{bare.pids()[manager]}").stat().st_ctime
    assert datetime.fromisoformat(made).timestamp() <= started
    # What showed that it knows them has gone.
    assert not [name for name in left if name.startswith("knavtool")]
    assert set(states(bare).values()) == {"healthy"}
    assert "nothing to do" in bare.up().stdout


def test_webhooks_go_before_their_server_ends(lab: LocalCluster) -> None:
    number = lab.pids()["jobset"]
    descriptor = os.pidfd_open(number)

    async def follow(client: Client) -> list[str]:
        ended = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(descriptor, lambda: ended.done() or ended.set_result(None))
        leaving = asyncio.create_task(asyncio.to_thread(lab.up, "--without", "jobset"))
        await ended
        asyncio.get_running_loop().remove_reader(descriptor)
        left = [one["metadata"]["name"] for kind in (MUTATING, VALIDATING) for one in await client.list(kind)]
        await leaving
        return left

    try:
        assert lab.ask(follow) == []
    finally:
        os.close(descriptor)


def test_leaving_a_component_out_removes_all_of_it(lab: LocalCluster) -> None:
    """Its controller still tidies up: a JobSet with Jobs goes with them."""
    lab.ask(lambda client: client.create(JOBSETS, jobset("staying"), namespace="default"))
    others = {name: number for name, number in lab.pids().items() if name != "jobset"}
    directory = lab.files.component("jobset")
    assert directory.is_dir()
    lab.up("--without", "jobset")

    async def left(client: Client) -> dict[str, list[str]]:
        kinds = (CUSTOM_RESOURCE_DEFINITIONS, MUTATING, VALIDATING, NAMESPACES)
        return {kind.plural: [one["metadata"]["name"] for one in await client.list(kind)] for kind in kinds}

    found = lab.ask(left)
    assert DEFINITION not in found.pop("customresourcedefinitions")
    assert "jobset-system" not in found.pop("namespaces")
    assert set(map(tuple, found.values())) == {()}
    assert lab.pids() == others
    assert "jobset" not in lab.keepers()
    assert {*lab.pids().values(), *lab.keepers().values()} == lab.processes().keys()
    assert "jobset" not in lab.status()
    assert not directory.exists()
    assert not lab.files.keeper("jobset").exists()
    assert "nothing to do" in lab.up("--without", "jobset").stdout
    # It can come back at once.
    lab.up("--with", "jobset")
    works(lab, "back")


def test_objects_with_finalizers_go_while_their_controller_runs(cluster: LocalCluster) -> None:
    """A queue of Kueue stays until the controller has seen that nothing uses it any more."""
    cluster.up("--with", "kueue")
    group, finalizer = "kueue.x-k8s.io/v1beta1", "kueue.x-k8s.io/resource-in-use"

    async def make(client: Client) -> None:
        for kind, spec in (("ResourceFlavor", {}), ("ClusterQueue", {"namespaceSelector": {}})):
            resource = await client.discover(group, kind)
            await client.create(
                resource, {"apiVersion": group, "kind": kind, "metadata": {"name": "made"}, "spec": spec}
            )
        await until(
            client,
            await client.discover(group, "ClusterQueue"),
            lambda seen: finalizer in seen["", "made"]["metadata"].get("finalizers", ()) or None,
            timeout=60,
        )

    cluster.ask(make)
    cluster.up("--without", "kueue")
    left = cluster.ask(lambda client: client.list(CUSTOM_RESOURCE_DEFINITIONS))
    assert not [one["metadata"]["name"] for one in left if one["spec"]["group"] == "kueue.x-k8s.io"]
    assert not [hook["name"] for hook in hooks(cluster) if hook["name"].endswith("workload.kb.io")]
    assert "kueue" not in cluster.status()


def test_a_second_up_changes_nothing(lab: LocalCluster) -> None:
    before = (lab.pids(), lab.keepers(), hooks(lab), lab.files.record.read_bytes())
    for options in ([], ["--with", "jobset"], ["--with", "jobset=0.12.0"]):
        done = lab.up(*options)
        assert done.stdout == "nothing to do: cluster components is as wanted\n"
    assert (lab.pids(), lab.keepers(), hooks(lab), lab.files.record.read_bytes()) == before
    done = lab.up("--with", "jobset=v0.10.0", check=2)
    assert "cluster components has jobset v0.12.0, not v0.10.0" in done.stderr
    done = lab.up("--with", "native-gang", check=2)
    assert (
        "cluster components exists without native-gang, which changes how its control plane is started" in done.stderr
    )


def test_a_controller_that_was_killed_is_started_again(lab: LocalCluster) -> None:
    before, keepers = lab.status()["jobset"], lab.keepers()
    kill(before["pid"])
    number = lab.until_restarted("jobset", before["pid"])
    after = lab.status()["jobset"]
    assert (after["state"], after["pid"], after["restarts"]) == ("healthy", number, before["restarts"] + 1)
    assert after["last_exit"] == "signal 9 (Killed)"
    assert lab.keepers() == keepers
    said = lab.cli("cluster", "logs", "jobset", "--name", lab.name).stdout
    assert re.search(r"^.*jobset .*it is started again", said, re.MULTILINE)
    works(lab, "restarted")


def test_up_repairs_a_controller_whose_keeper_was_killed(lab: LocalCluster) -> None:
    others = {name: number for name, number in lab.pids().items() if name != "jobset"}
    before = hooks(lab)
    kill(lab.keepers()["jobset"], lab.pids()["jobset"])
    assert states(lab, check=4)["jobset"] == "dead"
    # Nobody answers for the webhooks now, and a request that they are asked about says so.
    with pytest.raises(ClusterError, match="failed calling webhook"):
        lab.ask(lambda client: client.create(JOBSETS, jobset("unheard"), namespace="default"), retry_timeout=2)
    assert "jobset" in lab.up().stderr
    assert set(states(lab).values()) == {"healthy"}
    assert {name: number for name, number in lab.pids().items() if name != "jobset"} == others
    assert hooks(lab) == before
    works(lab, "repaired")


def test_a_dead_controller_can_be_left_out(lab: LocalCluster) -> None:
    kill(lab.keepers()["jobset"], lab.pids()["jobset"])
    lab.up("--without", "jobset")
    assert hooks(lab) == []
    assert "jobset" not in lab.status()


def test_a_port_that_somebody_took_meanwhile_is_told(lab: LocalCluster) -> None:
    port = urlsplit(hooks(lab)[0]["clientConfig"]["url"]).port
    kill(lab.keepers()["jobset"], lab.pids()["jobset"])
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", port))
        holder.listen()
        done = lab.up(check=4)
    assert f"port {port} for jobset of cluster components is taken by " in done.stderr
    assert f"(process {os.getpid()})" in done.stderr
    lab.up()
    assert set(states(lab).values()) == {"healthy"}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_what_was_interrupted_is_finished_by_the_next_up(bare: LocalCluster, number: signal.Signals) -> None:
    """Between the definitions and the webhooks: then the kinds are there and nobody checks what is made of them."""

    async def follow(client: Client) -> None:
        process = await asyncio.create_subprocess_exec(
            *(str(SCRIPT), "cluster", "up", "--name", bare.name, "--no-prometheus", "--with", "jobset"),
            env={**os.environ, **bare.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        async for event in client.watch(CUSTOM_RESOURCE_DEFINITIONS):
            if not event.synced and event.object["metadata"]["name"] == DEFINITION:
                break
        process.send_signal(number)
        assert await process.wait() == (130 if number is signal.SIGINT else -signal.SIGKILL)

    bare.ask(follow)
    # Everybody knows of it.
    done = bare.cli("cluster", "status", "--name", bare.name, check=4)
    assert "the last `knavtool cluster up` of cluster components did not finish: jobset" in done.stderr
    assert "nothing to do" not in bare.up().stdout
    assert set(states(bare).values()) == {"healthy"}
    works(bare, "finished")
    assert "nothing to do" in bare.up().stdout


def test_a_component_of_objects_alone(lab: LocalCluster) -> None:
    lab.up("--with", "device-classes")
    classes = [one["metadata"]["name"] for one in lab.ask(lambda client: client.list(DEVICE_CLASSES))]
    assert classes
    assert "nothing to do" in lab.up().stdout
    lab.up("--without", "device-classes")
    assert lab.ask(lambda client: client.list(DEVICE_CLASSES)) == []


# What others may see


def test_nobody_else_can_read_the_files_of_components(lab: LocalCluster) -> None:
    directory = lab.files.directory
    places = [lab.files.component("jobset"), directory / "keepers", lab.files.pki / "webhooks"]
    files = [path for place in places for path in place.rglob("*")]
    assert {"tls.key", "tls.crt", "ca.crt", "config.yaml", "spec.json"} <= {file.name for file in files}
    modes = {str(file.relative_to(directory)): oct(stat.S_IMODE(file.stat().st_mode)) for file in files}
    assert {mode for name, mode in modes.items() if (directory / name).is_file()} == {"0o600"}, modes
    assert {mode for name, mode in modes.items() if (directory / name).is_dir()} <= {"0o700"}, modes
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_components_listen_on_loopback_only(lab: LocalCluster) -> None:
    addresses = listening([lab.pids()["jobset"]])
    ports = {port for _, port in addresses}
    assert {address for address, _ in addresses} == {"127.0.0.1"}
    assert {urlsplit(hook["clientConfig"]["url"]).port for hook in hooks(lab)} <= ports
    assert {address for address, _ in listening(lab.processes())} == {"127.0.0.1"}
    # Keepers talk to nobody.
    assert listening(lab.keepers().values()) == set()


def test_no_secret_is_in_arguments_environments_and_logs(lab: LocalCluster) -> None:
    keys = [path for path in lab.files.directory.rglob("*.key") if path.is_file()] + [lab.files.metrics_token]
    assert {"tls.key", "ca.key"} <= {path.name for path in keys}
    secrets = {line for key in keys for line in key.read_text().splitlines() if len(line) > 20 and "-----" not in line}
    assert secrets
    public: Mapping[str, str] = {
        **{f"process {number}": _public(number) for number in lab.processes()},
        **{str(log): log.read_text(errors="replace") for log in lab.files.log("jobset").parent.glob("*.log")},
    }
    for where, text in public.items():
        assert "PRIVATE KEY" not in text, where
        assert not [line for line in secrets if line in text], where


def _public(number: int) -> str:
    process = Path(f"/proc/{number}")
    return "\n".join((process / name).read_bytes().decode(errors="replace") for name in ("cmdline", "environ"))


def test_prometheus_finds_a_component_and_loses_it(cluster: LocalCluster) -> None:
    cluster.up("--with", "jobset", prometheus=True)
    assert _target(cluster, "jobset") == "up"
    cluster.up("--without", "jobset", prometheus=True)
    assert not (cluster.files.targets / "jobset.json").exists()


def _target(cluster: LocalCluster, name: str) -> str:
    """The health of a target of Prometheus, once that has scraped it."""
    url = cluster.status()["prometheus"]["endpoint"] + "/api/v1/targets?state=active"
    deadline = time.monotonic() + 60
    while True:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own address
            active = json.load(answer)["data"]["activeTargets"]
        health = {target["labels"]["component"]: target["health"] for target in active}
        if health.get(name, "unknown") == "up" or time.monotonic() > deadline:
            return str(health.get(name))
        time.sleep(0.2)


RUN = """\
name: hurt
description: A JobSet is submitted after its controller was killed
tasks:
- id: namespace
  type: Configure
  params:
    timeout: 1m
    namespaces: [{name: hurt, op: create}]
- id: meanwhile
  type: Sleep
  params: {timeout: 3s}
- id: register
  type: RegisterObj
  params: {template: jobset.yml, nameFormat: hurt, podNameFormat: hurt-.*, podCount: 2}
- id: submit
  type: SubmitObj
  params: {refTaskId: register, count: 1}
- id: jobs
  type: CheckObj
  params:
    refTaskId: submit
    state: {status: {replicatedJobsStatus: [{name: workers, active: 2}]}}
    timeout: 1m
"""


def test_a_run_goes_on_without_its_controller_and_says_so(lab: LocalCluster, tmp_path: Path) -> None:
    template = jobset("{{._NAME_}}")
    template["metadata"]["namespace"] = "hurt"
    (tmp_path / "jobset.yml").write_text(json.dumps(template))
    (tmp_path / "hurt.yml").write_text(RUN)
    killed = lab.pids()["jobset"]

    async def follow(client: Client) -> str:
        process = await asyncio.create_subprocess_exec(
            *(str(SCRIPT), "run", str(tmp_path / "hurt.yml"), "--cleanup"),
            env={**os.environ, **lab.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        await until(client, NAMESPACES, lambda seen: ("", "hurt") in seen or None, timeout=60)
        kill(killed)
        said = (await process.communicate())[1].decode()
        assert process.returncode == 0, said
        return said

    said = lab.ask(follow)
    assert f"warning: jobset (process {killed}) has ended" in said
    assert "warning: jobset was started again once; it had ended with signal 9 (Killed)" in said
