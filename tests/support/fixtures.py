"""Fixtures for tests on a real control plane."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from knavtool.kube.resource import NAMESPACES, PODS
from knavtool.kube.waiting import until
from support.control_plane import LocalCluster
from support.existing import NODE, Existing
from support.programs import program
from support.releases import Host
from support.run_cluster import RunCluster


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """The control plane that all tests of a worker share; each of them leaves it as it found it."""
    cluster = LocalCluster(root=tmp_path_factory.mktemp("control-plane"), name="shared")
    try:
        cluster.up("--audit-log", "on")
        yield cluster
    finally:
        cluster.down()


@pytest.fixture(scope="session")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A cluster with Prometheus, whose processes tests may stop; they belong to the group `monitored`."""
    cluster = LocalCluster(root=tmp_path_factory.mktemp("monitored"), name="monitored")
    _monitored.append(cluster)
    try:
        yield cluster
    finally:
        cluster.down()


_monitored: list[LocalCluster] = []


def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Stop the cluster of the group `monitored` after its last test; idle processes slow the others down."""
    marks = nextitem.iter_markers("xdist_group") if nextitem is not None else ()
    if _monitored and "monitored" not in [mark.args[0] for mark in marks]:
        _monitored.pop().down()


@pytest.fixture
def whole(monitored: LocalCluster) -> LocalCluster:
    """The cluster of the group `monitored` with everything running, whatever the test before did to it."""
    monitored.up("--audit-log", "on", prometheus=True)
    return monitored


@pytest.fixture
def own(tmp_path: Path) -> Iterator[LocalCluster]:
    """A cluster that does not exist yet, for one test; whatever is there at the end is removed."""
    root = tmp_path / "owner"
    root.mkdir()
    cluster = LocalCluster(root=root, name="own")
    yield cluster
    cluster.down()
    assert cluster.processes() == {}
    assert not cluster.files.directory.exists()


@pytest.fixture
def existing(control_plane: LocalCluster, tmp_path: Path) -> Iterator[Existing]:
    """The shared control plane as a cluster of somebody else, with one real node."""
    host = Host()
    made = Existing(control_plane, tmp_path, host)
    made.node(NODE)
    yield made
    made.clean()
    host.close()


@pytest.fixture
def run_cluster(
    control_plane: LocalCluster,
    knavtool: Callable[..., CompletedProcess[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[RunCluster]:
    """The shared control plane for workflows; what a test made is gone afterwards."""
    monkeypatch.setenv("KNAVTOOL_HELM_BINARY", str(program("helm")))
    monkeypatch.setenv("KNAVTOOL_KUBECONFIG", str(control_plane.kubeconfig))
    monkeypatch.setenv("KNAVTOOL_CONTEXT", control_plane.context)
    made = RunCluster(control_plane, knavtool, tmp_path)
    yield made
    # Pods first: on nodes that are gone they would stay for half a minute, and fill the next test's nodes of that name.
    made.ask(lambda client: client.delete(NAMESPACES, made.namespace))
    made.ask(lambda client: until(client, PODS, lambda pods: not pods or None, timeout=60, namespace=made.namespace))
    made.run("nodes", "delete", "--all")
