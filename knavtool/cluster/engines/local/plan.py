"""What `cluster up` has to do: the difference between what is wanted and what is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.cluster import kubeconfig, processes, record
from knavtool.cluster.components import hosted
from knavtool.cluster.components.records import Component, component
from knavtool.cluster.engines.local import kwokctl
from knavtool.cluster.engines.local.settings import PROCESSES
from knavtool.cluster.layout import cluster_files, cluster_names
from knavtool.cluster.ports import LOOPBACK, require_free
from knavtool.errors import EngineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from knavtool.cluster.layout import ClusterFiles
    from knavtool.cluster.record import Record

# Without it nodes and pods would never live.
ALWAYS = "kwok"
MONITORING = "prometheus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the user asked for; None means no preference. `api_server_port` 0 is a free one."""

    kubeconfig: Path
    feature_gates: str | None = None
    runtime_config: str | None = None
    api_server_port: int | None = None
    prometheus: bool = True
    tuning: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What has to be done; `record` is the cluster's, None if it has to be created.

    `dead` are processes of the control plane, `starting` components whose process does not run, `leaving` those that
    are not wanted any more, whether their process runs or not.
    """

    record: Record | None
    dead: tuple[str, ...] = ()
    starting: tuple[Component, ...] = ()
    leaving: tuple[str, ...] = ()
    add_context: bool = True

    @property
    def nothing(self) -> bool:
        """Whether all processes and the context are as wanted."""
        return self.record is not None and not (self.dead or self.starting or self.leaving or self.add_context)


def make_plan(files: ClusterFiles, wanted: Wanted) -> Plan:
    """Look at the machine and say what is missing; raises what would stop the work, before anything is changed."""
    before = record.load(files)
    kubeconfig.read(wanted.kubeconfig)
    components = {name: component(name) for name in ([ALWAYS, MONITORING] if wanted.prometheus else [ALWAYS])}
    if before is None or not before.created:
        if wanted.api_server_port:
            hint = "choose another --port, or leave it out for a free one"
            require_free(wanted.api_server_port, use="the API server", hint=hint)
        return Plan(record=None, starting=tuple(components.values()))
    _require_same(files, before, wanted)
    alive = processes.running(files)
    dead = tuple(process.name for process in kwokctl.processes(files) if process.name not in alive)
    starting = tuple(one for one in components.values() if one.name not in alive)
    for use, port in before.ports.items():
        name = use.partition("/")[0]
        if name in dead or any(one.name == name for one in starting):
            hint = f"end that process, or remove this cluster with `knavtool cluster down --name {files.name}`"
            require_free(port, use=f"{name} of cluster {files.name}", hint=hint)
    return Plan(
        record=before,
        dead=dead,
        starting=starting,
        leaving=tuple(name for name in before.components if name not in components),
        add_context=not kubeconfig.has_context(wanted.kubeconfig, files.context, server_url(before)),
    )


def _require_same(files: ClusterFiles, before: Record, wanted: Wanted) -> None:
    """A running control plane keeps its arguments."""
    hint = f"`knavtool cluster down --name {files.name}` first, or give the new cluster another --name"
    if wanted.tuning is not None and wanted.tuning != before.tuning:
        raise UsageError(f"cluster {files.name} exists with --tuning {before.tuning}, not {wanted.tuning}", hint=hint)
    for option, asked, runs in (
        ("--feature-gates", wanted.feature_gates, before.feature_gates),
        ("--runtime-config", wanted.runtime_config, before.runtime_config),
    ):
        if asked is not None and asked != runs:
            message = f"cluster {files.name} exists with {option} {runs or 'none'}, not {asked or 'none'}"
            raise UsageError(message, hint=hint)
    port = before.ports[kwokctl.API_SERVER_PORT]
    if wanted.api_server_port and wanted.api_server_port != port:
        raise UsageError(f"cluster {files.name} exists with --port {port}, not {wanted.api_server_port}", hint=hint)


def server_url(known: Record) -> str:
    """Where the API server of a cluster is."""
    return f"https://{LOOPBACK}:{known.ports[kwokctl.API_SERVER_PORT]}"


def is_local(server: str, environment: Mapping[str, str]) -> bool:
    """Whether this is the address of a local cluster of this user."""
    for name in cluster_names(environment):
        try:
            known = record.load(cluster_files(name, environment))
        except EngineError:
            continue  # its record cannot be read, so nobody knows its address
        if known is not None and server_url(known) == server:
            return True
    return False


def describe(files: ClusterFiles, wanted: Wanted, plan: Plan, versions: Mapping[str, str]) -> Iterator[str]:
    """The plan for people, one line per action."""
    if plan.nothing:
        yield f"nothing to do: cluster {files.name} is as wanted"
        return
    if plan.record is None:
        yield f"create cluster {files.name} in {files.directory}"
        for name in PROCESSES:
            yield f"start {name} {versions[name]} on {LOOPBACK}"
        if wanted.feature_gates:
            yield f"set feature gates {wanted.feature_gates}"
        if wanted.runtime_config:
            yield f"serve {wanted.runtime_config}"
    for one in plan.starting:
        yield from _install(one)
    for name in plan.dead:
        yield f"start {name} again"
    for one in plan.starting:
        yield f"start {one.name} {one.version} on {LOOPBACK}"
    for name in plan.leaving:
        yield f"stop {name}"
    if plan.add_context:
        yield f"add context {files.context} to {wanted.kubeconfig} and make it current"


def _install(chosen: Component) -> Iterator[str]:
    if (face := chosen.manifest) is not None:
        for file in face.files:
            yield f"create what is missing of {file.path} of {face.module}@{chosen.version}"
        for override in face.overrides:
            yield f"override it with charts/overrides/{override}"


def component_ports(components: tuple[Component, ...]) -> list[str]:
    """Our names of all ports that the processes of these components need."""
    return [use for one in components for use in hosted.port_names(one)]
