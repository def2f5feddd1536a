"""What `cluster up` has to do: the difference between what is wanted and what is there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.catalogue import gates
from knavtool.engines.local.control_plane import kwokctl
from knavtool.engines.local.processes import processes
from knavtool.engines.local.settling import changing, of_new_cluster, settle
from knavtool.engines.local.state import kubeconfig, record
from knavtool.engines.local.state.layout import DEFAULT_NAME, cluster_files, cluster_names
from knavtool.engines.local.state.ports import LOOPBACK, holder, require_free
from knavtool.errors import EngineError, UsageError
from knavtool.settings.asked import Asked
from knavtool.toolchain.pins import kubernetes_releases

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from knavtool.catalogue.catalogue import Catalogue
    from knavtool.catalogue.records import Component
    from knavtool.engines.local.settling import Changing
    from knavtool.engines.local.state.layout import ClusterFiles
    from knavtool.engines.local.state.record import Record
    from knavtool.settings.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the user asked for; None means no preference. `api_server_port` 0 is a free one. `sources` are `NAME=DIR`.

    `components` are versions by name, "" for that of the record; those of earlier calls stay unless `without`.
    `settled` are settings that a new cluster begins with.
    """

    kubeconfig: Path
    components: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    feature_gates: str | None = None
    runtime_config: str | None = None
    api_server_port: int | None = None
    prometheus: bool | None = True
    tuning: str | None = None
    audit_log: str | None = None
    kubernetes: str | None = None
    settings: Asked = field(default_factory=Asked)
    settled: Mapping[str, Settings] = field(default_factory=dict)
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What has to be done; `record` is the cluster's, None if it has to be created.

    `components` are all that are wanted, each after what it needs. `dead` are processes of the control plane,
    `starting` the components that are not there as a whole or of which a process does not run, `leaving` those that are
    not wanted any more, whether their processes run or not. `again` are those of `starting` whose processes run, but
    look for kinds only when they start, and now there are new ones. `moved` are ports, by use, that somebody else has
    taken and that may be others; those of the control plane and of webhooks are written down in too many places.
    `changed` are components whose records are no more those that they were installed with. `settings` are all that the
    cluster is to have, `changing` the processes that run with others, and `notes` what is to be known of them.
    """

    record: Record | None
    components: tuple[Component, ...] = ()
    dead: tuple[str, ...] = ()
    starting: tuple[Component, ...] = ()
    leaving: tuple[Component, ...] = ()
    again: frozenset[str] = frozenset()
    moved: Mapping[str, str] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    settings: Mapping[str, Settings] = field(default_factory=dict)
    changing: tuple[Changing, ...] = ()
    notes: tuple[str, ...] = ()
    add_context: bool = True

    @property
    def programs(self) -> list[str]:
        """The programs of what has to be started."""
        started = [process for one in self.starting for process in one.processes]
        changing = [(one.component, one.process) for one in self.changing if one.component is not None]
        started += [process for one, name in changing for process in one.processes if process.name == name]
        needed = list(kwokctl.PROGRAMS) if self.record is None or self.dead else []
        needed += [process.program for process in started]
        # It removes what a dead process left in the cluster.
        return needed + ["kubectl" for process in started if process.stale]

    @property
    def nothing(self) -> bool:
        """Whether all processes and the context are as wanted."""
        return self.record is not None and not (
            self.dead or self.starting or self.leaving or self.changing or self.add_context
        )


def make_plan(files: ClusterFiles, wanted: Wanted, catalogue: Catalogue) -> Plan:
    """Look at the machine and say what is missing; raises what would stop the work, before anything is changed."""
    known = record.load_whole(files)
    kubeconfig.read(wanted.kubeconfig)
    if known is not None:
        # What runs can be repaired and removed, also when its record is not in the catalogue any more.
        catalogue = catalogue.with_records_in(files.component_records)
        require_records(files, known, catalogue)
    components = _components(wanted, known.components if known else {}, catalogue)
    # They are joined when the control plane starts; a contradiction is told now.
    gates.feature_gates(wanted.feature_gates or "", components)
    gates.runtime_config(wanted.runtime_config or "", components)
    settled = settle(
        known.settled if known is not None else wanted.settled, wanted.settings, components, catalogue.files
    )
    if known is None:
        if wanted.api_server_port:
            hint = "choose another --port, or leave it out for a free one"
            require_free(wanted.api_server_port, use="the API server", hint=hint)
        return Plan(
            record=None,
            components=components,
            starting=components,
            settings=settled.settings,
            changing=tuple(of_new_cluster(settled.settings)),
            notes=settled.notes,
        )
    staying = {one.name for one in components}
    installed = catalogue.with_records_in(files.component_records, first=True)
    leaving = tuple(
        installed.component(name, version) for name, version in known.components.items() if name not in staying
    )
    _require_same(files, known, wanted, components, leaving)
    alive = processes.running(files)
    dead = tuple(process.name for process in kwokctl.processes(files) if process.name not in alive)
    starting, again = _starting(components, known, alive)
    names = {process.name for one in starting for process in one.processes if process.name not in alive}
    fixed = {port for one in starting if one.process for port in one.process.ports_in_objects}
    moved = {}
    for use, port in known.ports.items():
        name = use.partition("/")[0]
        if name in dead or use in fixed:
            if name in dead or name in names:
                hint = f"end that process, or remove this cluster with `knavtool cluster down --name {files.name}`"
                require_free(port, use=f"{name} of cluster {files.name}", hint=hint)
        elif name in names and (why := holder(port)) is not None:
            moved[use] = f"port {port} {why}"
    return Plan(
        record=known,
        components=components,
        dead=dead,
        starting=starting,
        leaving=leaving,
        again=again,
        moved=moved,
        changed=tuple(_changed(components, known, installed)),
        settings=settled.settings,
        changing=tuple(
            changing(files, settled.settings, [one for one in components if one.name in known.components], alive)
        ),
        notes=settled.notes,
        add_context=not kubeconfig.has_context(wanted.kubeconfig, files.context, server_url(known)),
    )


def _starting(
    components: tuple[Component, ...], known: Record, alive: Collection[str]
) -> tuple[tuple[Component, ...], frozenset[str]]:
    """What has to be started, and what of that runs and is started again, because it comes after what is new."""
    names = {one.name for one in components if _incomplete(one, known, alive)}
    new = {name for name in names if name not in known.components}
    again = {one.name for one in components if one.name not in names and one.processes and new.intersection(one.after)}
    return tuple(one for one in components if one.name in names | again), frozenset(again)


def _changed(components: Iterable[Component], known: Record, installed: Catalogue) -> Iterator[str]:
    """The components of the cluster whose records have changed since they were installed."""
    for one in components:
        if one.name in known.components and one.written != installed.record(one.name):
            yield one.name


def _incomplete(one: Component, known: Record, alive: Collection[str]) -> bool:
    there = one.name in known.components and one.name not in known.unfinished
    return not there or any(process.name not in alive for process in one.processes)


def _components(wanted: Wanted, there: Mapping[str, str], catalogue: Catalogue) -> tuple[Component, ...]:
    """Those of every cluster, those that are there already, and those asked for, in the order of their start."""
    for name in wanted.without:
        catalogue.component(name)
        if name in wanted.components:
            raise UsageError(f"{name} is named by --with and by --without")
    names = {name: version for name, version in there.items() if name not in wanted.without}
    names |= {name: version or names.get(name, "") for name, version in wanted.components.items()}
    for role, needed in (("nodes", True), ("monitoring", wanted.prometheus)):
        players = [one.name for one in catalogue.with_role(role) if one.process and one.name not in wanted.without]
        if needed is False:
            names = {name: version for name, version in names.items() if name not in players}
        elif needed and players and not names.keys() & set(players):
            names = {players[0]: "", **names}
    components = catalogue.ordered(names)
    for one in components:
        if not one.local:
            why = "its record has no process, manifest or control plane"
            message = f"{one.name} cannot run beside a local cluster: {why}"
            raise UsageError(message, hint="`--engine existing` installs it in a cluster that runs containers")
        if one.name in wanted.without:
            needing = ", ".join(other.name for other in components if one.name in other.needs)
            raise UsageError(f"--without {one.name}: {needing} needs it", hint="exclude that too")
    return components


def require_records(files: ClusterFiles, known: Record, catalogue: Catalogue) -> None:
    """Raise EngineError if nobody knows any more what a component of the cluster consists of."""
    missing = [name for name in known.components if name not in catalogue.files]
    if missing:
        where = "~/.config/knavtool/components"
        raise EngineError(
            f"cluster {files.name} has {', '.join(missing)}, of which there is no record any more",
            hint=f"put {missing[0]}.yaml back to {where}, or remove the cluster with "
            f"`knavtool cluster down --name {files.name}`",
        )


def _require_same(
    files: ClusterFiles,
    before: Record,
    wanted: Wanted,
    components: tuple[Component, ...],
    leaving: tuple[Component, ...],
) -> None:
    """A running control plane keeps its arguments, and a running component its version."""
    hint = f"`knavtool cluster down --name {files.name}` first, or give the new cluster another --name"
    if wanted.tuning is not None and wanted.tuning != before.tuning:
        raise UsageError(f"cluster {files.name} exists with --tuning {before.tuning}, not {wanted.tuning}", hint=hint)
    for option, asked, runs in (
        ("--kube-version", wanted.kubernetes, before.kubernetes),
        ("--audit-log", wanted.audit_log, before.audit_log),
        ("--feature-gates", wanted.feature_gates, before.feature_gates),
        ("--runtime-config", wanted.runtime_config, before.runtime_config),
    ):
        if asked is not None and asked != runs:
            message = f"cluster {files.name} exists with {option} {runs or 'none'}, not {asked or 'none'}"
            raise UsageError(message, hint=hint)
    port = before.ports[kwokctl.API_SERVER_PORT]
    if wanted.api_server_port and wanted.api_server_port != port:
        raise UsageError(f"cluster {files.name} exists with --port {port}, not {wanted.api_server_port}", hint=hint)
    for one in leaving:
        if one.control_plane is not None:
            message = f"cluster {files.name} exists with {one.name}, which changed how its control plane was started"
            raise UsageError(message, hint=hint)
    for one in components:
        version = before.components.get(one.name)
        if version is None and one.control_plane is not None:
            message = f"cluster {files.name} exists without {one.name}, which changes how its control plane is started"
            raise UsageError(message, hint=hint)
        if version is not None and version != one.version:
            message = f"cluster {files.name} has {one.name} {version}, not {one.version}"
            raise UsageError(message, hint=f"`knavtool cluster up --without {one.name}` removes that first")


def kubernetes_release(files: ClusterFiles, wanted: Wanted) -> str:
    """The release of Kubernetes that a cluster has or will have."""
    known = record.load_whole(files)
    if known is not None:
        return known.kubernetes
    return wanted.kubernetes or kubernetes_releases().default


def sources(files: ClusterFiles, wanted: Wanted) -> list[str]:
    """The checkouts that programs are built in, as `NAME=DIR`: first those of earlier calls that are still there."""
    known = record.load_whole(files)
    before = known.sources if known is not None else {}
    return [*(f"{name}={path}" for name, path in before.items() if Path(path).is_dir()), *wanted.sources]


def server_url(known: Record) -> str:
    """Where the API server of a cluster is."""
    return f"https://{LOOPBACK}:{known.ports[kwokctl.API_SERVER_PORT]}"


def local_cluster(server: str, environment: Mapping[str, str]) -> ClusterFiles | None:
    """The local cluster of this user whose API server has this address."""
    for name in cluster_names(environment):
        files = cluster_files(name, environment)
        try:
            known = record.load(files)
        except EngineError:
            continue  # its record cannot be read, so nobody knows its address
        if known is not None and server_url(known) == server:
            return files
    return None


def up_command(environment: Mapping[str, str], server: str) -> str:
    """The command that adds components to the cluster whose API server has this address."""
    files = local_cluster(server, environment)
    if files is None:
        return "knavtool cluster up --engine existing"
    return "knavtool cluster up" + (f" --name {files.name}" if files.name != DEFAULT_NAME else "")
