"""The workflows and benchmarks that ship, against the real controllers they are written for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from knavtool.kube.client import Client
from knavtool.kube.resource import PODS
from support.control_plane import LocalCluster
from support.programs import program
from support.shipped import WORKFLOWS, Combination, alone, called, combined, elsewhere, run


@dataclass(frozen=True, kw_only=True)
class Lab:
    """A cluster: what `cluster up` adds to Kubernetes, and the directories and configurations that need it.

    Workflows that are called as those in `without` are left out.
    """

    components: Sequence[str] = ()
    kubernetes: str = ""
    options: Sequence[str] = ()
    directories: Sequence[str]
    configurations: Sequence[str] = ()
    without: Collection[str] = ()

    def runs(self) -> Iterator[Combination]:
        """All that runs on it."""
        yield from (files for files in alone(*self.directories) if files[0].stem not in self.without)
        for configuration in self.configurations:
            yield from combined(configuration=configuration)


KUBERNETES = Lab(directories=["k8s", "custom-resource", "dra"], configurations=["k8s"])
LABS = {
    "native-gang": Lab(components=["native-gang"], directories=["native-gang"], configurations=["native-gang"]),
    "composite-pod-group": Lab(components=["composite-pod-group"], directories=["composite-pod-group"]),
    "queues": Lab(
        components=["jobset", "mpi-operator", "kuberay", "lws", "trainer", "appwrapper", "kueue"],
        directories=["jobset", "mpi-operator", "kuberay", "lws", "trainer", "appwrapper", "kueue"],
        configurations=["jobset", "kueue"],
    ),
    "kueue-settings": Lab(
        components=["kueue"],
        options=["--config", f"kueue={WORKFLOWS / 'kueue-settings' / 'templates' / 'kueue.yaml'}"],
        directories=["kueue-settings"],
    ),
    "coscheduling": Lab(
        components=["jobset", "coscheduling", "capacity-scheduling"],
        directories=["coscheduling", "capacity-scheduling"],
        configurations=["coscheduling", "capacity-scheduling"],
    ),
    "volcano": Lab(components=["volcano"], directories=["volcano"], configurations=["volcano"]),
    "yunikorn": Lab(components=["yunikorn"], directories=["yunikorn"], configurations=["yunikorn"]),
}
# What is not the default, but known to work.
EARLIER = {
    "earlier": Lab(
        components=["jobset", "mpi-operator", "kuberay", "lws", "appwrapper", "kueue=v0.15.0"],
        kubernetes="v1.36.3",
        options=["--set", "kueue.integrations=all"],
        directories=["k8s", "dra", "jobset", "kueue"],
        # Trainer v2.2 makes no JobSet of a TrainJob that this Kueue has admitted, and DeviceTaintRules came with v1.37.
        without=["test-trainjob", "test-broken-device"],
    )
}
# The largest gang fills the nodes as ever, but a third of the gangs, pods that end soon, and 50 nodes of those of the
# scaling benchmarks, are enough to see that it works.
_SIZES = [32, 16, 10, 10, 8, 8, 6, 6, 1, 5, 5, 2, 4, 4, 1, 3, 3, 5]
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "gang-scheduling/run-test.yml": {"sizes": _SIZES, "ttl": "1s", "timeout": "5m"},
    # Its gangs can wait for each other for ever otherwise.
    "gang-scheduling/config-yunikorn.yml": {"maxApplications": 1},
    "fair-sharing/run-test.yml": {"jobsA": 16, "jobsB": 8, "ttl": "2s", "later": "1s", "timeout": "3m"},
    "scaling/run-many-jobs.yml": {"nodes": 50, "jobs": 50, "ttl": "1s", "timeout": "5m"},
    "scaling/run-one-job.yml": {"nodes": 50, "pods": 50, "ttl": "1s", "timeout": "5m"},
}


ALL = LABS | EARLIER


def cases() -> list[Any]:
    """Each lab with each of its runs; those of one lab stay on one worker."""
    return [
        pytest.param(name, files, marks=pytest.mark.xdist_group(f"lab-{name}"))
        for name, lab in ALL.items()
        for files in lab.runs()
    ]


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], LocalCluster]]:
    """The cluster of a lab, by its name. One is there at a time: what runs on it follows one another."""
    running: list[LocalCluster] = []

    def cluster(name: str) -> LocalCluster:
        if not running or running[0].name != name:
            if running:
                running.pop().down()
            running.append(LocalCluster(root=tmp_path_factory.mktemp(name), name=name))
            release = ["--kube-version", ALL[name].kubernetes] if ALL[name].kubernetes else []
            running[0].up("--audit-log", "on", "--with", ",".join(ALL[name].components), *release, *ALL[name].options)
        return running[0]

    yield cluster
    if running:
        running[0].down()


@pytest.fixture(autouse=True)
def _helm(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's Helm, which the cache of a user who is new does not have."""
    monkeypatch.setenv("KNAVTOOL_HELM_BINARY", str(program("helm")))


def settings(files: Combination) -> Mapping[str, object]:
    """The values of variables with which a test runs these files."""
    return {
        name: value for file in files for name, value in SETTINGS.get(f"{file.parent.name}/{file.name}", {}).items()
    }


def test_every_workflow_runs_somewhere() -> None:
    runs = [*KUBERNETES.runs(), *(files for lab in LABS.values() for files in lab.runs())]
    assert sorted(runs) == sorted(files for files in [*alone(), *combined()] if not elsewhere(files))


@pytest.mark.cluster
@pytest.mark.parametrize("files", list(KUBERNETES.runs()), ids=called)
def test_on_kubernetes(control_plane: LocalCluster, files: Combination) -> None:
    run(control_plane, files, **settings(files))


@pytest.mark.cluster
@pytest.mark.parametrize(("name", "files"), cases(), ids=called)
def test_with_components(labs: Callable[[str], LocalCluster], name: str, files: Combination) -> None:
    measured = run(labs(name), files, **settings(files))
    # YuniKorn deletes the pods, as anybody could: neither a condition nor an Event of theirs says why.
    if files[-1].stem == "test-preemption" and name != "yunikorn":
        lost = list(measured.tables["preemptions"].dicts())
        assert measured.measures["preemptions.count"].value == len(lost) > 0
        assert all(row["by"] and row["lost"] > 0 for row in lost)
    if files[-1].parent.name == "gang-scheduling":
        # All of these schedulers start gangs whole, and Kueue admits them so.
        assert measured.measures["gang.partial.time"].value == 0
        assert measured.measures["gangs.count"].value == len(_SIZES)


@pytest.mark.cluster
@pytest.mark.xdist_group("lab-yunikorn")
@pytest.mark.parametrize(
    ("given", "scheduler"),
    [({}, "yunikorn"), ({"schedulerName": "yunikorn"}, "yunikorn"), ({"schedulerName": "volcano"}, "volcano")],
    ids=["no scheduler", "YuniKorn", "another scheduler"],
)
def test_yunikorn_takes_pods_that_name_no_other_scheduler(
    labs: Callable[[str], LocalCluster], given: Mapping[str, str], scheduler: str
) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one", "labels": {"yunikorn.apache.org/queue": "root.one"}},
        "spec": {**given, "containers": [{"name": "c", "image": "busybox"}]},
    }

    async def admitted(client: Client) -> Mapping[str, Any]:
        return await client.dry_run_create(PODS, pod, namespace="default")

    made = labs("yunikorn").ask(admitted)
    assert made["spec"]["schedulerName"] == scheduler
    assert ("yunikorn.apache.org/app-id" in made["metadata"]["labels"]) == (scheduler == "yunikorn")
