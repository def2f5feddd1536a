"""A component of the catalogue: what is installed in a cluster or runs beside it, and where that comes from.

The fields are those of `schemas/component.schema.json`, which says what each of them means.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from knavtool.catalogue.recorded import PodLink, RecordedKind
    from knavtool.settings.subject import Config, Shortcut
    from knavtool.settings.tunables import Tunable


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The Go module of a project; `sum` is Go's for this version, `url` is where one file can be had.

    A `directory` of the user stands for that of the module, and nothing else is looked at; the programs are built there
    too if it `builds`.
    """

    module: str
    sum: str | None = None
    url: str | None = None
    directory: Path | None = None
    builds: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A file of a release; with neither sum its URL is not used."""

    url: str
    sha256: str | None = None
    checksums: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of the component's project, or a directory of YAML files if it ends in `/`."""

    path: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """The project's own objects: its release, the kustomization or the files, whichever can be had first."""

    release: Release | None = None
    kustomization: str | None = None
    files: tuple[SourceFile, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFace:
    """Objects in the cluster, with those of `overrides` in their place, once the definitions in `after` are served.

    `existing` are more overrides, for a cluster that exists.
    """

    objects: Objects = field(default_factory=Objects)
    overrides: tuple[str, ...] = ()
    existing: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartFace:
    """A Helm chart; `values` are files below charts/overrides, `options` more of them by the name of an option.

    `digest` is the sha256 of its archive, `manifest` that of its manifest in a registry: only a user gives that.
    """

    repository: str
    name: str
    version: str
    digest: str | None = None
    manifest: str = ""
    namespace: str
    values: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlaneFace:
    """How the control plane is started, and the group versions that show that it was."""

    feature_gates: Mapping[str, bool]
    runtime_config: Mapping[str, bool]
    serves: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """All objects of a kind in a namespace."""

    api_version: str
    kind: str
    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An object that a component makes by itself; `namespace` is "" for kinds that live in none."""

    api_version: str
    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedWebhooks:
    """Names of webhooks by the item of a list at `path` in the configuration; each goes with its item."""

    path: str
    names: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """`port` is PROCESS/PORT; without `keep` all are installed, `first` means before the process starts.

    `keep` has the match conditions that are added, by the name of the webhook, of those too that are `listed`.
    """

    port: str
    keep: Mapping[str, tuple[Mapping[str, str], ...]] | None = None
    listed: ListedWebhooks | None = None
    first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """DNS names of the serving certificate and of its authority, and whether the process needs the authority's key."""

    names: tuple[str, ...] = ()
    authority_names: tuple[str, ...] = ()
    authority_key: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """A process of the local engine; `files` maps names to templates below charts/overrides.

    `stale` is what a dead process leaves and a new one would respect. `tunables` are None if the record has none.
    """

    name: str
    program: str
    ports: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    args: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    stale: tuple[Kind, ...] = ()
    tunables: tuple[Tunable, ...] | None = None
    ready: str
    metrics: str = ""

    @property
    def uses(self) -> list[str]:
        """Our names of the ports it listens on: PROCESS/PORT."""
        return [f"{self.name}/{port}" for port in self.ports]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFace:
    """Processes of the local engine in the order of their start, and what they need in the cluster.

    `keep_kinds` and `drop_kinds` say what becomes of kinds of the project's objects that are not Kubernetes' own.
    `config` says where the configuration is that users may change, `apis` is the PROCESS/PORT that serves the APIs of
    the project's APIServices.
    """

    objects: Objects
    overrides: tuple[str, ...] = ()
    config: Config | None = None
    apis: str = ""
    keep_kinds: tuple[str, ...] = ()
    drop_kinds: tuple[str, ...] = ()
    webhooks: Webhooks | None = None
    certificates: Certificates | None = None
    processes: tuple[ProcessSpec, ...]

    @property
    def ports_in_objects(self) -> list[str]:
        """The ports, as PROCESS/PORT, that objects in the cluster lead to."""
        return [port for port in (self.webhooks.port if self.webhooks else "", self.apis) if port]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """Kinds of an API group; all of it without `kinds`."""

    group: str
    kinds: tuple[str, ...] = ()

    def has(self, group: str, kind: str) -> bool:
        """Whether this is one of them."""
        return group == self.group and (not self.kinds or kind in self.kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLabel:
    """The label that puts an object in a queue; `marks` are JSON pointers by kind to what a queued object then has."""

    name: str
    marks: Mapping[str, str]
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """An environment variable that the user must set."""

    variable: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One record at one version; a component may have any of the faces.

    `programs` are in the form of the toolchain's pins. It `follows` the component whose version it has, or
    `kubernetes`. `kubernetes` is the range of releases that it works with, "" for all. `tried` are the versions that
    are known to work. `settings` are short names for values in its configuration. `written` is the record itself, as
    it is read from a file.
    """

    name: str
    title: str
    description: str
    version: str
    follows: str = ""
    kubernetes: str = ""
    tried: tuple[str, ...] = ()
    role: str = ""
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    brings: tuple[Brought, ...] = ()
    queue_label: QueueLabel | None = None
    recorded: tuple[RecordedKind, ...] = ()
    pod_queue: PodLink | None = None
    makes: tuple[Made, ...] = ()
    credentials: tuple[Credential, ...] = ()
    source: Source | None = None
    programs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    settings: Mapping[str, Shortcut] = field(default_factory=dict)
    written: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    chart: ChartFace | None = None
    manifest: ManifestFace | None = None
    process: ProcessFace | None = None
    control_plane: ControlPlaneFace | None = None

    @property
    def processes(self) -> tuple[ProcessSpec, ...]:
        """The processes of the local engine, in the order of their start."""
        return self.process.processes if self.process is not None else ()

    @property
    def lists_webhooks(self) -> bool:
        """Whether its webhooks depend on its configuration."""
        return (
            self.process is not None and self.process.webhooks is not None and self.process.webhooks.listed is not None
        )

    @property
    def local_objects(self) -> Objects:
        """The project's own objects that the local engine needs."""
        face = self.process or self.manifest
        return face.objects if face is not None else Objects()

    @property
    def local(self) -> bool:
        """Whether the local engine can have it."""
        return bool(self.process or self.manifest or self.control_plane)

    @property
    def in_cluster(self) -> bool:
        """Whether it can be installed in a cluster that exists."""
        return bool(self.chart or self.manifest or self.control_plane)

    @property
    def faces(self) -> tuple[str, ...]:
        """The names of the faces it has, as its record writes them."""
        faces = {"chart": self.chart, "manifest": self.manifest, "process": self.process}
        return tuple(name for name, face in {**faces, "controlPlane": self.control_plane}.items() if face is not None)

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines that can have it."""
        return tuple(name for name, can in (("local", self.local), ("existing", self.in_cluster)) if can)
