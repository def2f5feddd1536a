"""Fixtures for tests of one's own, and workflow files as tests; pytest loads it by its entry point.

docs/python.md shows how it is used. Nothing is imported before a cluster is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from knavtool.harness.cluster import Cluster, Result

_SUFFIX = (".workflow.yml", ".workflow.yaml")


class SyncCluster:
    """A `Cluster` for code that is not asynchronous."""

    def __init__(self, cluster: Cluster, runner: asyncio.Runner) -> None:
        self.cluster = cluster
        self._runner = runner

    @property
    def name(self) -> str:
        """Its name."""
        return self.cluster.name

    @property
    def kubeconfig(self) -> Path:
        """What leads other programs to it, with the context `context`."""
        return self.cluster.kubeconfig

    @property
    def context(self) -> str:
        """Its context in the kubeconfig."""
        return self.cluster.context

    def nodes(self, values: str | Path | Sequence[Mapping[str, Any]]) -> None:
        """As `Cluster.nodes`."""
        self._runner.run(self.cluster.nodes(values))

    def run(self, *workflows: str | Path, **options: Any) -> Result:
        """As `Cluster.run`."""
        return self._runner.run(self.cluster.run(*workflows, **options))


class WorkflowFailed(AssertionError):
    """A workflow did not pass; the message has what failed, as the terminal shows it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the command line, and of the configuration file."""
    group = parser.getgroup("knavtool")
    group.addoption(
        "--knavtool-with",
        metavar="NAME[=VERSION],...",
        default=None,
        help="components of the cluster that `knavtool_cluster` starts, and of the one for workflow files",
    )
    group.addoption("--knavtool-kubernetes", metavar="VERSION", default=None, help="release of Kubernetes of it")
    parser.addini("knavtool_with", "components of the cluster, as --knavtool-with takes them", default="")
    parser.addini("knavtool_kubernetes", "release of Kubernetes of the cluster", default="")


def _options(config: pytest.Config) -> dict[str, Any]:
    """What `knavtool.cluster` is called with."""
    chosen = config.getoption("--knavtool-with") or config.getini("knavtool_with")
    release = config.getoption("--knavtool-kubernetes") or config.getini("knavtool_kubernetes")
    return {"with_": chosen or (), "kubernetes": release or None}


@contextmanager
def started(**options: Any) -> Iterator[SyncCluster]:
    """A new cluster for the block."""
    from knavtool.harness.cluster import cluster

    with asyncio.Runner() as runner:
        manager = cluster(**options)
        found = runner.run(manager.__aenter__())
        try:
            yield SyncCluster(found, runner)
        finally:
            runner.run(manager.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def knavtool_cluster(request: pytest.FixtureRequest) -> Iterator[SyncCluster]:
    """One cluster for all tests of a process; with xdist each worker has its own."""
    with _shared(request.session) as cluster:
        yield cluster


@pytest.fixture
def knavtool_new_cluster() -> Iterator[Callable[..., SyncCluster]]:
    """Starts a cluster with the options of `knavtool.cluster`; it ends with the test."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(started(**options))


_CLUSTER = pytest.StashKey[SyncCluster]()
_MANAGER = pytest.StashKey[Any]()


@contextmanager
def _shared(session: pytest.Session) -> Iterator[SyncCluster]:
    """The cluster of the session, which is started when it is needed first."""
    if _CLUSTER not in session.stash:
        manager = started(**_options(session.config))
        session.stash[_MANAGER] = manager
        session.stash[_CLUSTER] = manager.__enter__()
    yield session.stash[_CLUSTER]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the cluster of the session."""
    if _MANAGER in session.stash:
        manager = session.stash[_MANAGER]
        del session.stash[_MANAGER], session.stash[_CLUSTER]
        manager.__exit__(None, None, None)


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> pytest.Collector | None:
    """Workflow files are tests if their names say so."""
    if file_path.name.endswith(_SUFFIX):
        return WorkflowFile.from_parent(parent, path=file_path)
    return None


class WorkflowFile(pytest.File):
    """A file `*.workflow.yml`."""

    def collect(self) -> Iterator[pytest.Item]:
        """One test."""
        yield WorkflowItem.from_parent(self, name=self.path.name.partition(".")[0])


class WorkflowItem(pytest.Item):
    """Runs a workflow on the cluster of the session, with cleanup."""

    def runtest(self) -> None:
        """Fails if a check does."""
        with _shared(self.session) as cluster:
            result = cluster.run(self.path)
        if not result.passed:
            raise WorkflowFailed("\n".join(result.failures))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What failed, without the code that found it."""
        from knavtool.errors import KnavError

        if isinstance(excinfo.value, WorkflowFailed):
            return f"{self.path}:\n{excinfo.value}"
        if isinstance(excinfo.value, KnavError):
            hint = f"\ntry: {excinfo.value.hint}" if excinfo.value.hint else ""
            return f"{excinfo.value.message}{hint}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where it is."""
        return self.path, None, f"workflow {self.name}"
