"""The catalogue: one YAML record per component, in the form of `schemas/component.schema.json`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from knavtool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

CATALOGUE = Path(__file__).resolve().parents[2] / "catalogue"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of the component's project; without a sum its URL is not used."""

    path: str
    url: str | None
    sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFace:
    """Objects in the cluster: those of `files`, with those of `overrides` (below charts/overrides) in their place.

    They are created when the CustomResourceDefinitions in `after` are served.
    """

    module: str
    files: tuple[SourceFile, ...]
    overrides: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """All objects of a kind in a namespace."""

    api_version: str
    kind: str
    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFace:
    """A process of the local engine; `files` maps names to templates below charts/overrides.

    `stale` is what a dead process leaves in the cluster and a new one would respect.
    """

    program: str
    ports: tuple[str, ...]
    files: Mapping[str, str]
    args: tuple[str, ...]
    environment: Mapping[str, str]
    stale: tuple[Kind, ...]
    ready: str
    metrics: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One record; a component may have any of the faces."""

    name: str
    title: str
    version: str
    manifest: ManifestFace | None
    process: ProcessFace | None


@cache
def component(name: str) -> Component:
    """The record of a component."""
    file = CATALOGUE / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in CATALOGUE.glob("*.yaml")))
        raise UsageError(f"no component {name!r} in the catalogue", hint=f"known are {known}")
    return _component(yaml.safe_load(file.read_text(encoding="utf-8")))


def _component(record: Mapping[str, Any]) -> Component:
    faces = record["faces"]
    return Component(
        name=record["name"],
        title=record["title"],
        version=record["version"],
        manifest=_manifest(record, faces["manifest"]) if "manifest" in faces else None,
        process=_process(faces["process"]) if "process" in faces else None,
    )


def _manifest(record: Mapping[str, Any], face: Mapping[str, Any]) -> ManifestFace:
    source = record["source"]
    url = source.get("url")
    return ManifestFace(
        module=source["module"],
        files=tuple(
            SourceFile(
                path=file["path"],
                url=url and url.format(version=record["version"], path=file["path"]),
                sha256=file.get("sha256"),
            )
            for file in face["files"]
        ),
        overrides=tuple(face.get("overrides", ())),
        after=tuple(face.get("after", ())),
    )


def _process(face: Mapping[str, Any]) -> ProcessFace:
    return ProcessFace(
        program=face["program"],
        ports=tuple(face.get("ports", ())),
        files={file["name"]: file["template"] for file in face.get("files", ())},
        args=tuple(face["args"]),
        environment=face.get("environment", {}),
        stale=tuple(
            Kind(api_version=kind["apiVersion"], kind=kind["kind"], namespace=kind["namespace"])
            for kind in face.get("stale", ())
        ),
        ready=face["ready"],
        metrics=face.get("metrics", ""),
    )
