"""A local cluster from what a file and options say: what is wanted, what is to be done, and doing it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.catalogue.catalogue import Catalogue
from knavtool.engines.local import saved, up
from knavtool.engines.local.control_plane.settings import chosen
from knavtool.engines.local.down import down
from knavtool.engines.local.plan import Wanted, kubernetes_release, make_plan, sources
from knavtool.engines.local.state.layout import cluster_files
from knavtool.harness.programs import toolchain_from_environment
from knavtool.harness.target import Target
from knavtool.report.files import as_output_error
from knavtool.settings.asked import Asked
from knavtool.settings.documented import joined, read_entries
from knavtool.toolchain.pins import kubernetes_release as pinned_release

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from knavtool.documents.cluster_file import ClusterFile
    from knavtool.engines.local.plan import Plan
    from knavtool.engines.local.saved import Saved
    from knavtool.engines.local.state.layout import ClusterFiles
    from knavtool.events import Steps
    from knavtool.toolchain.resolve import Toolchain

NOTHING = Asked()
START_TIMEOUT = 180.0
"""Seconds until a cluster whose programs are there must be ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for; `directories` have manifests and `binaries` are programs, as `NAME=PATH`.

    A new cluster begins with what was `saved`.
    """

    files: ClusterFiles
    wanted: Wanted
    directories: Sequence[str] = ()
    binaries: Sequence[str] = ()
    saved: Saved | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What has to be done for a request, and the programs to do it with; nothing is changed yet."""

    request: Request
    release: str
    plan: Plan
    toolchain: Toolchain


def wanted_by(
    said: ClusterFile,
    kubeconfig: Path,
    *,
    without: Sequence[str] = (),
    sources: Sequence[str] = (),
    settings: Asked = NOTHING,
) -> Wanted:
    """What a file wants of a cluster; what is given besides wins over it. Raises UsageError or InvalidDocument."""
    chosen(said.tuning or "all")
    return Wanted(
        kubeconfig=kubeconfig,
        components=said.components,
        without=tuple(without),
        feature_gates=said.feature_gates,
        runtime_config=said.runtime_config,
        api_server_port=said.port,
        prometheus=said.prometheus is not False,
        tuning=said.tuning,
        audit_log=None if said.audit_log is None else "on" if said.audit_log else "off",
        kubernetes=pinned_release(said.kubernetes) if said.kubernetes else None,
        sources=(*pairs(said.sources), *sources),
        settings=joined(read_entries(said.settings, instead=said.configured), settings),
    )


def prepare(request: Request, environment: Mapping[str, str]) -> Prepared:
    """Look at the machine; raises what would stop the work."""
    files, wanted = request.files, request.wanted
    release = kubernetes_release(files, wanted)
    catalogue = Catalogue.load(
        environment, directories=request.directories, sources=sources(files, wanted), kubernetes=release
    )
    plan = make_plan(files, wanted, catalogue)
    programs = catalogue.with_records_in(files.component_records).programs(plan.components)
    toolchain = toolchain_from_environment(
        environment, binaries=request.binaries, kubernetes=release, programs=programs
    )
    return Prepared(request=request, release=release, plan=plan, toolchain=toolchain)


def require_possible(said: ClusterFile, environment: Mapping[str, str]) -> None:
    """Raise what would stop a new cluster of the file before its first process: a component or setting of no use."""
    files = cluster_files("of-nobody", environment)
    prepare(_request(said, files, files.directory / "kubeconfig"), environment)


async def start(prepared: Prepared, environment: Mapping[str, str], *, timeout: float, steps: Steps) -> None:
    """Do what was prepared; the caller holds the lock of the cluster."""
    request = prepared.request
    with steps.step("cluster", f"cluster {request.files.name}") as step:
        await up.up(
            request.files,
            request.wanted,
            prepared.plan,
            toolchain=prepared.toolchain,
            environment=environment,
            timeout=timeout,
            steps=step.nested(),
            saved=request.saved,
        )


def wanted_again(before: Saved, kubeconfig: Path, *, port: int | None = None) -> Wanted:
    """What a saved cluster was wanted to be."""
    known = before.record
    return Wanted(
        kubeconfig=kubeconfig,
        components=known.components,
        feature_gates=known.feature_gates,
        runtime_config=known.runtime_config,
        api_server_port=port,
        prometheus=None,
        tuning=known.tuning,
        audit_log=known.audit_log,
        kubernetes=known.kubernetes,
        settled=known.settled,
        sources=tuple(f"{name}={path}" for name, path in known.sources.items()),
    )


def pairs(paths: Mapping[str, Path]) -> list[str]:
    """As options take them."""
    return [f"{name}={path}" for name, path in paths.items()]


def _request(said: ClusterFile, files: ClusterFiles, kubeconfig: Path, before: Saved | None = None) -> Request:
    """A new cluster of the file, which begins with what was saved `before`."""
    return Request(
        files=files,
        wanted=wanted_by(said, kubeconfig) if before is None else wanted_again(before, kubeconfig),
        directories=pairs(said.files),
        binaries=pairs(said.programs),
        saved=before,
    )


@asynccontextmanager
async def running(
    said: ClusterFile,
    name: str,
    *,
    kubeconfig: Path,
    environment: Mapping[str, str],
    timeout: float,
    steps: Steps,
    kept: Path | None = None,
) -> AsyncIterator[Target]:
    """A new local cluster for the block, removed at its end; what is left of one of that name goes first.

    With `kept` it is saved there once it is ready, and the next one with the same file starts from it.
    """
    files = cluster_files(name, environment)
    before = saved.load(kept) if kept is not None and kept.exists() else None
    request = _request(said, files, kubeconfig, before)
    with files.locked():
        await down(files, kubeconfig_file=kubeconfig, steps=steps)
        await start(prepare(request, environment), environment, timeout=timeout, steps=steps)
    try:
        if kept is not None and before is None:
            with files.locked(), as_output_error(f"cannot write {kept}"):
                saved.save(files, kept)
        yield Target(kubeconfig=kubeconfig, context=files.context, environment=environment)
    finally:
        with files.locked():
            await down(files, kubeconfig_file=kubeconfig, steps=steps)
