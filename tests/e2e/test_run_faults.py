"""`knavtool run` while processes die, networks fail and others interfere: it ends right, or says what is wrong."""

from __future__ import annotations

import json
import os
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from knavtool.kube.client import Client
from knavtool.kube.resource import CONFIG_MAPS, JOBS, LEASES, NAMESPACES, PODS, SERVICE_ACCOUNTS, Resource
from knavtool.kube.waiting import until
from support import kubeconfigs, processes
from support.control_plane import LocalCluster
from support.live_run import LiveRun, live_run
from support.programs import program
from support.proxy import Cut, Harm, Proxy, Refuse, Reset, proxy
from support.workflows import register, submit, task, write

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("faults")]

PLUGIN = """#!/bin/sh
cat <<END
{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "status": {"token": "$(cat "$0.token")"}}
END
"""
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: "{{._NAME_}}", namespace: "{{.namespace}}"}
spec:
  suspend: {{.suspend}}
  backoffLimit: 0
  template:
    metadata:
      annotations:
        pod-complete.stage.kwok.x-k8s.io/delay: "{{.run}}"
        pod-complete.stage.kwok.x-k8s.io/jitter-delay: "{{.run}}"
    spec:
      restartPolicy: Never
      containers: [{name: worker, image: none}]
"""


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A cluster whose processes these tests may stop, with one node."""
    cluster = LocalCluster(root=tmp_path_factory.mktemp("faults"), name="faults")
    values = cluster.root / "values.yaml"
    values.write_text("nodes: [{type: cpu.x86, count: 1, resources: {pods: 1000}}]")
    try:
        cluster.up()
        cluster.cli("nodes", "apply", "-f", values)
        yield cluster
    finally:
        cluster.down()


class Faulty:
    """A cluster, a namespace of its own, and runs of workflows in it."""

    def __init__(self, plane: LocalCluster, directory: Path) -> None:
        self.plane = plane
        self.ask = plane.ask
        self.directory = directory
        self.namespace = f"faults-{uuid.uuid4().hex[:8]}"
        self.report = directory / "report.json"

    def make_namespace(self) -> None:
        """Create the namespace."""

        async def make(client: Client) -> None:
            await client.create(NAMESPACES, {"metadata": {"name": self.namespace}})
            # Pods are refused until their account is there.
            await until(
                client, SERVICE_ACCOUNTS, lambda seen: True if seen else None, timeout=60, namespace=self.namespace
            )

        self.ask(make)

    def run(
        self, *tasks: dict[str, Any], kubeconfig: Path | None = None, options: tuple[str, ...] = ("--cleanup",)
    ) -> AbstractContextManager[LiveRun]:
        """Start a run."""
        workflow = write(self.directory, register(podCount="1"), *tasks, template=JOB)
        environment = {
            **self.plane.environment,
            "KUBECONFIG": str(kubeconfig or self.plane.kubeconfig),
            "KNAVTOOL_HELM_BINARY": str(program("helm")),
        }
        return live_run(workflow, "--json", self.report, *options, env=environment, cwd=self.directory)

    def submit(self, count: int = 1, *, run: str = "1h", suspend: bool = False) -> dict[str, Any]:
        """A SubmitObj of Jobs of one pod each, which runs that long."""
        return submit(count=count, params={"namespace": self.namespace, "run": run, "suspend": suspend})

    def resume_jobs(self) -> None:
        """Let suspended Jobs start."""

        async def resume(client: Client) -> None:
            for job in await client.list(JOBS, namespace=self.namespace):
                await client.patch(
                    JOBS, job["metadata"]["name"], {"spec": {"suspend": False}}, namespace=self.namespace
                )

        self.ask(resume)

    def data(self, id_: str) -> dict[str, Any]:
        """What a task wrote into the report."""
        (workflow,) = [
            step for step in json.loads(self.report.read_text())["run"]["steps"] if step["kind"] == "workflow"
        ]
        (found,) = [step for step in workflow["steps"] if step["name"] == id_]
        data: dict[str, Any] = found["data"]
        return data

    def until_jobs(self, count: int) -> None:
        """Wait until there are so many Jobs."""

        async def there(client: Client) -> None:
            await until(
                client,
                JOBS,
                lambda seen: True if len(seen) >= count else None,
                timeout=60,
                namespace=self.namespace,
            )

        self.ask(there)

    def jobs(self) -> list[dict[str, Any]]:
        """The Jobs that are there."""
        return self.ask(lambda client: client.list(JOBS, namespace=self.namespace))

    def delete_job(self, name: str) -> None:
        """Delete a Job as somebody else would."""
        assert self.ask(lambda client: client.delete(JOBS, name, namespace=self.namespace))

    def left(self) -> dict[str, int]:
        """What is left of a run."""

        async def count(client: Client) -> dict[str, int]:
            return {kind.plural: len(await client.list(kind, namespace=self.namespace)) for kind in (JOBS, PODS)}

        return {kind: number for kind, number in self.ask(count).items() if number}

    def touch_pods(self) -> None:
        """Change all pods when KWOK has taken the node again.

        KWOK 0.8 passes over the pods that it lists before its own watch has shown it the new lease of their node, and
        looks at them again when they change.
        """

        async def touch(client: Client) -> None:
            await until(client, LEASES, lambda seen: True if seen else None, timeout=60, namespace="kube-node-lease")
            for pod in await client.list(PODS, namespace=self.namespace):
                touched = {"metadata": {"annotations": {"touched": "yes"}}}
                await client.patch(PODS, pod["metadata"]["name"], touched, namespace=self.namespace)

        self.ask(touch)

    def kill(self, name: str) -> None:
        """Kill a process of the cluster and wait until it is gone."""
        number = self.plane.pids()[name]
        os.kill(number, signal.SIGKILL)
        assert processes.survivors([number], within=10) == []


@pytest.fixture(scope="module")
def forsaken(plane: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveRun, str]]:
    """A run whose API server has vanished while it follows pods, and the server's URL.

    It waits for a minute, so it begins with the first test and is looked at by the last.
    """
    directory = tmp_path_factory.mktemp("forsaken")
    made = Faulty(plane, directory)
    made.make_namespace()
    with proxy(plane, directory / "proxy.kubeconfig") as between:
        tasks = [made.submit(2), check_pods(timeout="10m")]
        with made.run(*tasks, kubeconfig=between.kubeconfig, options=GONE) as run:
            run.until("job (SubmitObj)")
            between.wait_for("OPENED", "/pods")
            between.vanish()
            yield run, between.server


@pytest.fixture
def faulty(plane: LocalCluster, forsaken: object, tmp_path: Path) -> Iterator[Faulty]:
    made = Faulty(plane, tmp_path)
    made.make_namespace()
    yield made
    plane.up()
    made.ask(lambda client: client.delete(NAMESPACES, made.namespace))


@pytest.fixture
def between(plane: LocalCluster, tmp_path: Path) -> Iterator[Proxy]:
    with proxy(plane, tmp_path / "proxy.kubeconfig") as made:
        yield made


def check_pods(status: str = "Succeeded", timeout: str = "60s") -> dict[str, Any]:
    return task("CheckPod", "pods", refTaskId="job", status=status, timeout=timeout)


# The control plane


BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False)


@pytest.fixture
def service_account(plane: LocalCluster, tmp_path: Path) -> Path:
    """The kubeconfig of a service account with a token, which a server knows only when it has read its data."""

    async def token(client: Client) -> str:
        subject = {"kind": "ServiceAccount", "name": "default", "namespace": "default"}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
        binding = {
            "apiVersion": BINDINGS.api_version,
            "kind": BINDINGS.kind,
            "metadata": {"name": "faults"},
            "subjects": [subject],
            "roleRef": role,
        }
        await client.create(BINDINGS, binding)
        answer = await client._transport.request(
            "POST", "/api/v1/namespaces/default/serviceaccounts/default/token", "ask for a token", body=b"{}"
        )
        return str(answer["status"]["token"])

    (tmp_path / "token").write_text(plane.ask(token) + "\n")
    yield kubeconfigs.write(
        tmp_path / "account.kubeconfig",
        plane.server,
        authority=plane.files.pki / "ca.crt",
        token_file=tmp_path / "token",
    )
    plane.ask(lambda client: client.delete(BINDINGS, "faults"))


def test_the_api_server_is_killed_while_objects_are_submitted(faulty: Faulty, service_account: Path) -> None:
    with faulty.run(
        faulty.submit(60, run="1s"),
        check_pods(),
        kubeconfig=service_account,
        options=("--cleanup", "--qps", "20", "--burst", "1"),
    ) as run:
        faulty.until_jobs(10)
        faulty.kill("kube-apiserver")
        faulty.plane.up()
        said = run.finish()
    assert "60 of 60 pods are Succeeded" in said
    assert (faulty.data("job")["created"], faulty.data("job")["existed"]) == (60, 0)
    assert faulty.left() == {}


def test_the_api_server_is_killed_while_pods_are_watched(faulty: Faulty) -> None:
    with faulty.run(faulty.submit(20, run="3s"), check_pods(), task("DeleteObj", refTaskId="job", wait=True)) as run:
        run.until("job (SubmitObj)")
        faulty.kill("kube-apiserver")
        faulty.plane.up()
        said = run.finish()
    assert "20 of 20 pods are Succeeded" in said
    assert faulty.data("deleteobj")["deleted"] == 20
    assert faulty.left() == {}


def test_etcd_pauses(faulty: Faulty) -> None:
    etcd = faulty.plane.pids()["etcd"]
    with faulty.run(
        faulty.submit(60, run="1s"), check_pods(), options=("--cleanup", "--qps", "20", "--burst", "1")
    ) as run:
        faulty.until_jobs(10)
        os.kill(etcd, signal.SIGSTOP)
        try:
            threading.Event().wait(10)
        finally:
            os.kill(etcd, signal.SIGCONT)
        said = run.finish()
    assert "60 of 60 pods are Succeeded" in said
    assert (faulty.data("job")["created"], faulty.data("job")["existed"]) == (60, 0)
    assert faulty.left() == {}


def test_kwok_is_killed(faulty: Faulty) -> None:
    with faulty.run(faulty.submit(10, run="2s"), check_pods()) as run:
        run.until("job (SubmitObj)")
        number = faulty.plane.pids()["kwok"]
        faulty.kill("kwok")
        faulty.plane.until_restarted("kwok", number)
        faulty.touch_pods()
        said = run.finish()
    assert "10 of 10 pods are Succeeded" in said
    assert faulty.left() == {}


# The network


def test_requests_are_refused_lost_and_answered_with_errors(faulty: Faulty, between: Proxy) -> None:
    harms = [
        Refuse(code=429, reason="TooManyRequests", headers={"Retry-After": "1"}),
        Refuse(code=429, reason="TooManyRequests"),
        Refuse(code=500, reason="InternalError"),
        Refuse(code=500, reason="InternalError", done=True),
        Refuse(code=503, reason="ServiceUnavailable", headers={"Retry-After": "1"}),
        Refuse(code=504, reason="Timeout", done=True),
        Reset(),
        Reset(done=True),
    ]
    between.harm("POST", "/jobs", None, *harms)
    between.harm("DELETE", r"/jobs/\w+", *harms)
    between.harm("GET", "/jobs", Refuse(code=429), Reset(), Refuse(code=500))
    with faulty.run(faulty.submit(20, run="1s"), check_pods(), kubeconfig=between.kubeconfig, options=()) as run:
        run.finish()
    assert (faulty.data("job")["created"], faulty.data("job")["existed"]) == (20, 0)
    # Each object is sent once, and once more for each harm; what was done without an answer is found, not made again.
    assert between.count("POST", "/jobs") == 20 + len(harms)
    assert between.count("GET", r"/jobs/\w+") == sum(harm.done for harm in harms)
    jobs = faulty.jobs()
    assert sorted(job["metadata"]["name"] for job in jobs) == sorted(f"job{number}" for number in range(1, 21))


def test_deletions_are_refused_lost_and_answered_with_errors(faulty: Faulty, between: Proxy) -> None:
    harms = [Refuse(code=429), Refuse(code=500), Refuse(code=500, done=True), Reset(), Reset(done=True)]
    between.harm("DELETE", r"/jobs/\w+", *harms)
    with faulty.run(faulty.submit(10), kubeconfig=between.kubeconfig) as run:
        said = run.finish()
    assert "10 Jobs removed" in said
    assert between.count("DELETE", r"/jobs/\w+") == 10 + len(harms)
    assert faulty.left() == {}


@pytest.mark.parametrize(
    ("path", "check", "harms"),
    [
        (
            "/pods",
            task("CheckPod", "check", refTaskId="job", status="Succeeded", timeout="60s"),
            [Cut(events=0), Refuse(code=410, reason="Expired"), Cut(events=0, error=410), Cut(events=1)],
        ),
        (
            "/jobs",
            task("CheckObj", "check", refTaskId="job", state={"status": {"succeeded": 1}}, timeout="60s"),
            [Reset(), Refuse(code=503), Cut(events=0, error=500), Cut(events=1, error=410)],
        ),
    ],
)
def test_watches_are_cut_refused_and_too_old(
    faulty: Faulty, between: Proxy, path: str, check: dict[str, Any], harms: list[Harm]
) -> None:
    between.harm("WATCH", path, *harms)
    with faulty.run(faulty.submit(5, run="1s", suspend=True), check, kubeconfig=between.kubeconfig) as run:
        # Nothing happens until all but the last watch have ended.
        between.wait_for("WATCH", path, len(harms) - 1)
        between.wait_for("OPENED", path, sum(isinstance(harm, Cut) for harm in harms))
        faulty.resume_jobs()
        said = run.finish()
    assert "5 of 5" in said
    assert between.count("WATCH", path) > len(harms)
    assert faulty.left() == {}


# Tokens


def test_a_token_file_is_read_again_when_its_token_has_expired(faulty: Faulty, between: Proxy) -> None:
    token = faulty.directory / "token"
    token.write_text("first\n")
    between.tokens = {"first"}
    kubeconfig = kubeconfigs.write(faulty.directory / "user.kubeconfig", between.server, token_file=token)
    with faulty.run(faulty.submit(3, run="3s"), check_pods(), kubeconfig=kubeconfig) as run:
        run.until("job (SubmitObj)")
        token.write_text("second\n")
        between.tokens = {"second"}
        run.finish()
    assert faulty.left() == {}


def test_a_credential_plugin_is_asked_again_when_its_token_has_expired(faulty: Faulty, between: Proxy) -> None:
    plugin, token = faulty.directory / "plugin", faulty.directory / "plugin.token"
    plugin.write_text(PLUGIN)
    plugin.chmod(0o755)
    token.write_text("first")
    between.tokens = {"first"}
    kubeconfig = kubeconfigs.write(faulty.directory / "user.kubeconfig", between.server, command=str(plugin))
    with faulty.run(faulty.submit(3, run="3s"), check_pods(), kubeconfig=kubeconfig) as run:
        run.until("job (SubmitObj)")
        token.write_text("second")
        between.tokens = {"second"}
        run.finish()
    assert faulty.left() == {}


def test_a_token_that_expires_for_good_ends_the_run(faulty: Faulty, between: Proxy) -> None:
    between.tokens = {"only"}
    kubeconfig = kubeconfigs.write(faulty.directory / "user.kubeconfig", between.server, token="only")
    check = task("CheckObj", "check", refTaskId="job", state={"status": {"succeeded": 1}}, timeout="60s")
    with faulty.run(faulty.submit(3), task("Sleep", timeout="1s"), check, kubeconfig=kubeconfig) as run:
        run.until("job (SubmitObj)")
        between.tokens = set()
        said = run.finish(check=5, within=20)
    assert "list jobs.batch: Unauthorized" in said
    assert "try: the token may have expired; log in to the cluster again" in said
    assert "left behind: 3 Jobs" in said


# Other people


def test_the_namespace_is_deleted_while_objects_are_submitted(faulty: Faulty) -> None:
    holder = {"metadata": {"name": "holder", "finalizers": ["example.com/held"]}}
    with faulty.run(
        faulty.submit(100), options=("--cleanup", "--qps", "20", "--burst", "1", "--cleanup-timeout", "20s")
    ) as run:
        faulty.until_jobs(5)

        async def terminate(client: Client) -> None:
            await client.create(CONFIG_MAPS, holder, namespace=faulty.namespace)
            await client.delete(NAMESPACES, faulty.namespace)

        faulty.ask(terminate)
        run.until("job (SubmitObj)")
        faulty.ask(
            lambda client: client.patch(
                CONFIG_MAPS, "holder", {"metadata": {"finalizers": None}}, namespace=faulty.namespace
            )
        )
        said = run.finish(check=5)
    assert "of 100 objects were created, then: create jobs.batch" in said
    assert "because it is being terminated" in said
    assert "try: wait until the namespace is gone" in said
    assert faulty.left() == {}


def test_an_object_is_deleted_while_a_check_waits_for_it(faulty: Faulty) -> None:
    check = task("CheckObj", "check", refTaskId="job", state={"status": {"active": 2}}, timeout="2s")
    with faulty.run(faulty.submit(2), check) as run:
        run.until("job (SubmitObj)")
        faulty.delete_job("job2")
        said = run.finish(check=1)
    assert "0 of 2 objects match after 2 s" in said
    assert f"Job {faulty.namespace}/job2: does not exist" in said
    assert faulty.left() == {}


def test_a_job_is_deleted_while_its_pods_are_waited_for_and_before_the_cleanup(faulty: Faulty) -> None:
    with faulty.run(faulty.submit(2, run="3s"), check_pods(timeout="5s")) as run:
        run.until("job (SubmitObj)")
        faulty.delete_job("job1")
        said = run.finish(check=1)
    assert "1 of 2 pods are Succeeded after 5 s (1 Succeeded)" in said
    assert faulty.left() == {}


CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gizmos.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: gizmos, kind: Gizmo}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
DEFINITIONS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)


def test_a_kind_is_removed_while_its_objects_are_watched(faulty: Faulty) -> None:
    (faulty.directory / "crd.yml").write_text(CRD)
    gizmo = '{apiVersion: example.com/v1, kind: Gizmo, metadata: {name: g, namespace: "{{.namespace}}"}}'
    (faulty.directory / "gizmo.yml").write_text(gizmo)
    none = {"nameFormat": None, "podNameFormat": None, "podCount": None}
    with faulty.run(
        register("kinds", template="crd.yml", **none),
        register("gizmos", template="gizmo.yml", **none),
        submit("kind", refTaskId="kinds", params={}),
        submit("gizmo", refTaskId="gizmos", params={"namespace": faulty.namespace}),
        task("CheckObj", "check", refTaskId="gizmo", state={"never": 1}, timeout="60s"),
    ) as run:
        run.until("gizmo (SubmitObj)")
        faulty.ask(lambda client: client.delete(DEFINITIONS, "gizmos.example.com"))
        said = run.finish(check=5, within=30)
    assert "the cluster does not serve example.com/v1 Gizmo any more" in said
    assert faulty.left() == {}


# An API server that does not come back


GONE = ("--cleanup", "--cleanup-timeout", "2s")


def test_a_check_that_sees_nothing_any_more_has_not_failed(faulty: Faulty, between: Proxy) -> None:
    check = check_pods(timeout="3s")
    with faulty.run(faulty.submit(2), check, kubeconfig=between.kubeconfig, options=GONE) as run:
        run.until("job (SubmitObj)")
        between.wait_for("OPENED", "/pods")
        between.vanish()
        said = run.finish(check=5, within=15)
    assert "0 of 2 pods are Succeeded after 3 s" in said
    assert f"{between.server} does not answer" in said.partition("\nerror: ")[2]
    assert "cleanup took longer than 2 s; left behind: 2 Jobs" in said


def test_an_api_server_that_does_not_come_back_ends_the_run(forsaken: tuple[LiveRun, str]) -> None:
    run, server = forsaken
    said = run.finish(check=5, within=90)
    assert f"error: watch pods: {server} does not answer" in said
    assert "cleanup took longer than 2 s; left behind: 2 Jobs" in said
