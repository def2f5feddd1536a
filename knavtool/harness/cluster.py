"""A local cluster as an object: nodes, runs, and what was measured of them. `knavtool.cluster` is the way to it."""

from __future__ import annotations

import os
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knavtool.catalogue.catalogue import parse_wanted
from knavtool.documents.cluster_file import ClusterFile, load_cluster_file, parse_cluster_file
from knavtool.documents.values import load_values, parse_values
from knavtool.documents.yaml import Document
from knavtool.errors import KnavError
from knavtool.events import Steps
from knavtool.harness import clusters, runs
from knavtool.harness.clusters import START_TIMEOUT
from knavtool.harness.nodes import make_nodes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from knavtool.events import Emit
    from knavtool.harness.target import Target
    from knavtool.measure.table import Measured


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a run.

    `passed` is False if a check or threshold failed; `failures` say which, one line each. `directory` has the
    recording, and `knavtool report DIRECTORY` makes a page of it.
    """

    passed: bool
    failures: Sequence[str]
    directory: Path
    _measured: Measured = field(repr=False)

    @property
    def measures(self) -> Mapping[str, float | None]:
        """Every measure by its name, in the unit that docs/measures.md says; None for what is not known."""
        return {name: one.value for name, one in self._measured.measures.items()}

    @property
    def pods(self) -> list[dict[str, Any]]:
        """One row for each pod, as docs/measures.md lists the columns; `pandas.DataFrame(result.pods)` takes them."""
        return self.table("pods")

    @property
    def gangs(self) -> list[dict[str, Any]]:
        """One row for each gang or Job."""
        return self.table("gangs")

    def table(self, name: str) -> list[dict[str, Any]]:
        """The rows of any table of docs/measures.md; KeyError if there is none of that name."""
        return list(self._measured.tables[name].dicts())


@dataclass(frozen=True, slots=True)
class Cluster:
    """A local cluster that runs; `kubeconfig` and `context` lead other programs to it."""

    name: str
    kubeconfig: Path
    context: str
    _target: Target = field(repr=False)
    _steps: Steps = field(repr=False)

    async def nodes(self, values: str | Path | Sequence[Mapping[str, Any]], *, timeout: float = START_TIMEOUT) -> None:
        """Make the virtual nodes those of a values file, or of its list `nodes`, and wait until they are Ready.

        Raises InvalidDocument for what is wrong in it, and ClusterError.
        """
        if isinstance(values, str | Path):
            read = load_values(Path(values))
        else:
            read = parse_values(Document(file="nodes", data={"nodes": [dict(one) for one in values]}))
        await make_nodes(read, self._target, steps=self._steps, timeout=timeout)

    async def run(
        self,
        *workflows: str | Path,
        variables: Mapping[str, Any] | None = None,
        directory: Path | None = None,
        cleanup: bool = True,
    ) -> Result:
        """Run workflows as `knavtool run` does, and record them in `directory`, a new temporary one if not given.

        Raises InvalidDocument for what is wrong in a file, and ClusterError or others for what stopped the run; a
        failed check is no error.
        """
        plan = runs.planned([Path(one) for one in workflows], dict(variables or {}))
        place = directory or Path(tempfile.mkdtemp(prefix="knavtool-run-"))
        found = await runs.run(plan, self._target, place, steps=self._steps, cleanup=cleanup)
        if found.error is not None:
            raise found.error
        if found.measured is None:
            raise KnavError(found.why)
        return Result(found.passed, found.failures, place, found.measured)


@asynccontextmanager
async def cluster(
    *,
    with_: str | Iterable[str] = (),
    file: str | Path | Mapping[str, Any] | None = None,
    kubernetes: str | None = None,
    name: str = "",
    timeout: float = START_TIMEOUT,
    environment: Mapping[str, str] | None = None,
    listen: Emit = lambda _: None,
) -> AsyncIterator[Cluster]:
    """A new local cluster for the block, removed at its end.

    `with_` are components as NAME or NAME=VERSION; `file` is a cluster file or its fields, which may say anything that
    `cluster up` takes. Without a `name` it has one of its own. Prometheus runs only if the file says so. `timeout` are
    seconds, once all programs are there; `listen` hears of every step. Raises KnavError.
    """
    variables = os.environ if environment is None else environment
    said = _said(file)
    components = parse_wanted([with_] if isinstance(with_, str) else with_)
    said = replace(
        said,
        components={**said.components, **components},
        kubernetes=kubernetes or said.kubernetes,
        prometheus=said.prometheus or False,
    )
    chosen = name or said.name or f"t-{os.urandom(5).hex()}"
    steps = Steps(listen)
    with tempfile.TemporaryDirectory(prefix="knavtool-") as directory:
        kubeconfig = Path(directory) / "kubeconfig"
        running = clusters.running(
            said, chosen, kubeconfig=kubeconfig, environment=variables, timeout=timeout, steps=steps
        )
        async with running as target:
            assert target.context is not None  # noqa: S101 - a new cluster has one
            yield Cluster(chosen, kubeconfig, target.context, target, steps)


def _said(file: str | Path | Mapping[str, Any] | None) -> ClusterFile:
    if file is None:
        return ClusterFile(file="")
    if isinstance(file, str | Path):
        return load_cluster_file(Path(file))
    return parse_cluster_file(Document(file="cluster", data=dict(file)), Path.cwd())
