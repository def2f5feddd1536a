"""The file that says a whole local cluster, `cluster.yaml`, as frozen models."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knavtool.documents.schema import normalized, violations
from knavtool.documents.values import parse_values
from knavtool.documents.yaml import load
from knavtool.errors import InvalidDocument

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.documents.entries import NodeEntry
    from knavtool.documents.yaml import Document

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsEntry:
    """What a file sets of a component or process, its `target`, as the options of the same names do.

    `config` is a file or what it would say; `where` is the place of the entry, for messages.
    """

    target: str
    where: str
    config: Path | Mapping[str, Any] | None = None
    replace: bool = False
    set: Mapping[str, Any] = field(default_factory=dict)
    args: Mapping[str, Scalar] = field(default_factory=dict)
    env: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFile:
    """A file that passed all checks; None means that it says nothing. Paths are whole.

    `components` are versions by name, "" for that of the record; `sources`, `files` and `programs` are paths by name.
    `nodes` are a values file or its entries, which stand as `written_nodes` in the file.
    """

    file: str
    name: str | None = None
    kubernetes: str | None = None
    components: Mapping[str, str] = field(default_factory=dict)
    settings: tuple[SettingsEntry, ...] = ()
    sources: Mapping[str, Path] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    feature_gates: str | None = None
    runtime_config: str | None = None
    tuning: str | None = None
    audit_log: bool | None = None
    prometheus: bool | None = None
    port: int | None = None
    programs: Mapping[str, Path] = field(default_factory=dict)
    nodes: Path | tuple[NodeEntry, ...] | None = None
    written_nodes: str | list[Any] | None = None
    configured: tuple[str, ...] = ()
    """The components and processes of the control plane whose settings are those of the file and no others."""


def load_cluster_file(path: Path) -> ClusterFile:
    """Read and check a file; raises InvalidDocument with everything that is wrong."""
    return parse_cluster_file(load(path), path.absolute().parent)


def parse_cluster_file(document: Document, directory: Path) -> ClusterFile:
    """Check a document whose paths start at `directory`; raises InvalidDocument with everything that is wrong."""
    document = normalized(document, "cluster")
    wrong = violations(document, "cluster")
    if wrong:
        raise InvalidDocument(wrong)
    data = document.data
    entries = [{"name": one} if isinstance(one, str) else one for one in data.get("components", ())]
    components: dict[str, str] = {}
    for index, one in enumerate(entries):
        name, _, version = one["name"].partition("=")
        if name in components:
            wrong.append(document.violation(("components", index), f"{name} is there already"))
        components[name] = version or one.get("version", "")
    nodes = data.get("nodes")
    if isinstance(nodes, list):
        try:
            nodes = parse_values(replace(document, data={"nodes": nodes})).entries
        except InvalidDocument as error:
            wrong += error.violations
    if wrong:
        raise InvalidDocument(wrong)
    tuning = data.get("tuning")
    settings = tuple(_settings(document, entries, directory))
    return ClusterFile(
        file=document.file,
        name=data.get("name"),
        kubernetes=data.get("kubernetes"),
        components=components,
        settings=settings,
        sources={one["name"]: _path(directory, one["source"]) for one in entries if "source" in one},
        files={one["name"]: _path(directory, one["files"]) for one in entries if "files" in one},
        feature_gates=_joined(data.get("featureGates")),
        runtime_config=_joined(data.get("runtimeConfig")),
        tuning=",".join(tuning) if isinstance(tuning, list) else tuning,
        audit_log=data.get("auditLog"),
        prometheus=data.get("prometheus"),
        port=data.get("port"),
        programs={name: _path(directory, given) for name, given in data.get("programs", {}).items()},
        nodes=_path(directory, nodes) if isinstance(nodes, str) else nodes,
        written_nodes=str(_path(directory, nodes)) if isinstance(nodes, str) else data.get("nodes"),
        configured=tuple(components) + tuple(one.target for one in settings if "/" not in one.target),
    )


def _settings(document: Document, components: list[Mapping[str, Any]], directory: Path) -> list[SettingsEntry]:
    found = []
    for index, one in enumerate(components):
        name, place = one["name"].partition("=")[0], ("components", index)
        found.append(_entry(name, one, document.where(place), directory))
        for process, given in one.get("processes", {}).items():
            where = document.where((*place, "processes", process))
            found.append(_entry(f"{name}/{process}", given, where, directory))
    for process, given in document.data.get("controlPlane", {}).items():
        found.append(_entry(process, given, document.where(("controlPlane", process)), directory))
    return [one for one in found if one.config is not None or one.set or one.args or one.env]


def _entry(target: str, given: Mapping[str, Any], where: str, directory: Path) -> SettingsEntry:
    config = given.get("config")
    return SettingsEntry(
        target=target,
        where=where,
        config=_path(directory, config) if isinstance(config, str) else config,
        replace=given.get("replace", False),
        set=given.get("set", {}),
        args=given.get("args", {}),
        env=given.get("env", {}),
    )


def _path(directory: Path, text: str) -> Path:
    return directory / Path(text).expanduser()


def _joined(values: Mapping[str, bool] | None) -> str | None:
    """As `--feature-gates` takes them."""
    return None if values is None else ",".join(f"{name}={str(value).lower()}" for name, value in values.items())
