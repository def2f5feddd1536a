"""What `cluster up` was asked for and what it did, kept beside the cluster so that later commands know it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from knavtool.atomic import atomic_write
from knavtool.errors import EngineError
from knavtool.settings.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from knavtool.catalogue.records import Component
    from knavtool.engines.local.state.layout import ClusterFiles


KUBERNETES = "kube-apiserver"
"""The program whose version is that of the cluster."""

_LATER = frozenset({"audit_log", "settings", "sources"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """`ports` are by process and purpose, for example `kube-apiserver/https`; `versions` by program.

    `components` are their versions by name, in the order of their start; `unfinished` are those of them whose
    installation or removal has begun and did not finish. `contexts` maps each kubeconfig that was given the
    cluster's context to the context that was current before, "" if none was. `audit_log` is `on` or `off`. `settings`
    are those of components and of the control plane's processes by name, as `Settings.as_data` gives them. `sources`
    are the checkouts that programs of components are built in, by component. `created` tells that kwokctl came to its
    end, so that what is there is whole and can be repaired.
    """

    feature_gates: str = ""
    runtime_config: str = ""
    tuning: str = "all"
    audit_log: str = "off"
    ports: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    contexts: Mapping[str, str] = field(default_factory=dict)
    components: Mapping[str, str] = field(default_factory=dict)
    unfinished: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    created: bool = False

    @property
    def kubernetes(self) -> str:
        """The release of Kubernetes that the cluster was made with, "" if nobody knows."""
        return self.versions.get(KUBERNETES, "")

    @property
    def settled(self) -> dict[str, Settings]:
        """The settings by component or process of the control plane."""
        return {name: Settings.from_data(data) for name, data in self.settings.items()}


def load(files: ClusterFiles) -> Record | None:
    """The record of a cluster, None if there is no such cluster."""
    try:
        return read(json.loads(files.record.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        message = f"{files.record} cannot be read: {error}"
        raise EngineError(message, hint=f"`knavtool cluster down --name {files.name}` removes the cluster") from error


def load_whole(files: ClusterFiles) -> Record | None:
    """The record of a cluster that can be repaired; None if there is none, or one that did not come to be."""
    known = load(files)
    return known if known is not None and known.created else None


def ports_of_all(files: ClusterFiles) -> set[int]:
    """The ports of all clusters of the user who has this one, of those that do not run now too."""
    found: set[int] = set()
    for directory in (files.work / "clusters").glob("*/"):
        # Of a record that cannot be read nobody knows the ports, and nobody can start its processes.
        with contextlib.suppress(EngineError):
            if (known := load(replace(files, name=directory.name))) is not None:
                found.update(known.ports.values())
    return found


def save(files: ClusterFiles, record: Record) -> None:
    """Write the record, whole or not at all."""
    atomic_write(files.record, json.dumps(asdict(record), indent=2))


def begun(known: Record, starting: Iterable[Component]) -> Record:
    """The record once the start of these components has begun."""
    starting = list(starting)
    versions = {one.name: one.version for one in starting}
    components = {**known.components, **versions}
    checkouts = {one.name: str(one.source.directory) for one in starting if one.source and one.source.builds}
    sources = {name: path for name, path in {**known.sources, **checkouts}.items() if name in components}
    return replace(known, components=components, unfinished=versions, sources=sources)


def besides(versions: Mapping[str, str], name: str) -> dict[str, str]:
    """All versions but that of one."""
    return {other: version for other, version in versions.items() if other != name}


def settings_data(settings: Mapping[str, Settings]) -> dict[str, dict[str, Any]]:
    """Settings as a record keeps them."""
    return {name: one.as_data() for name, one in settings.items()}


def read(content: dict[str, Any]) -> Record:
    """The record of its fields; ValueError or TypeError for damaged ones, or of a knavtool that kept other things."""
    empty, known = Record(), Record(**content)
    for name in (one.name for one in fields(Record)):
        if name in _LATER and name not in content:
            continue  # made by a knavtool that did not have it yet
        if name not in content or type(getattr(known, name)) is not type(getattr(empty, name)):
            raise ValueError(f"{name} is missing or of the wrong type")
    _ = known.settled
    return known
