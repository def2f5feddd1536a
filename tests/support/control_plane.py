"""Local clusters for tests, handled through the command line as a user does it."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, TypeVar

import yaml

from knavtool.catalogue.catalogue import Catalogue
from knavtool.engines.local.components.component_processes import ComponentProcesses
from knavtool.engines.local.control_plane import kwokctl
from knavtool.engines.local.control_plane.health import until_healthy
from knavtool.engines.local.processes import processes as cluster_processes
from knavtool.engines.local.processes import supervisor
from knavtool.engines.local.state import record
from knavtool.engines.local.state.layout import ClusterFiles
from knavtool.kube.client import Client
from knavtool.kube.connecting import connect
from support import processes
from support.cli import run_cli

T = TypeVar("T")
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-scheduler", "kube-controller-manager")


@dataclass(frozen=True, kw_only=True)
class LocalCluster:
    """A cluster by its name, whether it runs or not; `root` holds the kubeconfig and the data of its user.

    `caches` are the user's, those of this machine if not given.
    """

    root: Path
    name: str = "test"
    caches: Path | None = None

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of the cluster's user."""
        return self.root / "kubeconfig"

    @property
    def context(self) -> str:
        """The cluster's context in it."""
        return self.files.context

    @property
    def files(self) -> ClusterFiles:
        """Where the cluster keeps its files."""
        return ClusterFiles(self.root / "data" / "knavtool", self.name)

    @property
    def server(self) -> str:
        """The API server's URL."""
        config = yaml.safe_load(self.kubeconfig.read_text())
        return str(next(one["cluster"]["server"] for one in config["clusters"] if one["name"] == self.context))

    @property
    def environment(self) -> Mapping[str, str]:
        """What `run_cli` needs to know to work on this cluster and nothing else."""
        return {
            "HOME": str(self.root),
            "KUBECONFIG": str(self.kubeconfig),
            "XDG_DATA_HOME": str(self.root / "data"),
            **({} if self.caches is None else {"XDG_CACHE_HOME": str(self.caches)}),
        }

    def cli(self, *args: str | Path, **more: Any) -> CompletedProcess[str]:
        """Run a command for the user of this cluster."""
        return run_cli(*args, env=self.environment, **more)

    def up(self, *options: str | Path, prometheus: bool = False, **more: Any) -> CompletedProcess[str]:
        """`cluster up`, by default without Prometheus."""
        chosen = [] if prometheus else ["--no-prometheus"]
        return self.cli("cluster", "up", "--name", self.name, *chosen, *options, **more)

    def down(self, **more: Any) -> CompletedProcess[str]:
        """`cluster down`."""
        return self.cli("cluster", "down", "--name", self.name, **more)

    def metrics(self, process: str) -> str:
        """What a process of the control plane says of itself, as Prometheus reads it."""
        url = next(one.metrics for one in kwokctl.processes(self.files) if one.name == process)
        token = self.files.metrics_token.read_text()
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - on 127.0.0.1
        # It has made its certificate itself.
        context = ssl._create_unverified_context()  # noqa: S323 - see above
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:  # noqa: S310 - see above
            return str(answer.read().decode())

    def status(self, **more: Any) -> dict[str, dict[str, Any]]:
        """The rows of `cluster status`, by process."""
        said = self.cli("cluster", "status", "--name", self.name, "-o", "json", **more).stdout
        return {row["component"]: row for row in json.loads(said)}

    def until_healthy(self) -> None:
        """Wait until every process works; an API server has moments of doubt after its etcd was away."""
        deadline = time.monotonic() + 60
        while any(row["state"] != "healthy" for row in self.status(check=None).values()):
            assert time.monotonic() < deadline, self.status(check=None)

    def pids(self) -> dict[str, int]:
        """The numbers in the pid files, by process."""
        return cluster_processes.recorded(self.files)

    def processes(self) -> dict[int, str]:
        """Every process that belongs to the cluster, with its command line."""
        return processes.carrying("KNAVTOOL_CLUSTER_DIRECTORY", str(self.files.directory))

    def keepers(self) -> dict[str, int]:
        """The numbers of the processes that keep those of components, by the name of what they keep."""
        return {name: state.keeper for name, state in supervisor.states(self.files).items() if state.keeper is not None}

    def until_restarted(self, name: str, before: int) -> int:
        """Wait until a keeper has started its process again and that answers; returns the process's number."""
        deadline = time.monotonic() + 60
        while (number := self.pids().get(name, before)) == before:
            assert time.monotonic() < deadline, f"{name} was not started again"
            time.sleep(0.01)
        url = self.ready_url(name)

        async def answers() -> None:
            async with asyncio.timeout(60):
                await until_healthy(url)

        asyncio.run(answers())
        return number

    def ready_url(self, name: str) -> str:
        """Where a process of a component says that it works."""
        known = record.load(self.files)
        assert known is not None
        catalogue = Catalogue.load(self.environment)
        for component in (catalogue.component(name, version) for name, version in known.components.items()):
            for process in component.processes:
                if process.name == name:
                    return ComponentProcesses(self.files, component, known.ports).ready_url(process)
        raise AssertionError(f"no component has a process {name}")

    def ask(self, question: Callable[[Client], Awaitable[T]], *, retry_timeout: float = 60.0) -> T:
        """Ask the API server itself; for how many seconds a request that fails is tried again."""

        async def asked() -> T:
            async with connect(kubeconfig=self.kubeconfig, context=self.context, retry_timeout=retry_timeout) as client:
                return await question(client)

        return asyncio.run(asked())
