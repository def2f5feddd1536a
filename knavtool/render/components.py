"""Component manifests: the files of a project, with objects of ours in place of some of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from knavtool.documents.yaml import load_rendered
from knavtool.errors import RenderError
from knavtool.render.manifests import Manifest, ManifestSet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Key: TypeAlias = "tuple[str, str, str]"


def render_component(files: Sequence[Path], *, overrides: Sequence[Path] = ()) -> ManifestSet:
    """The objects of all files; an object of an override replaces the one of the same kind and name, or is added."""
    found: dict[Key, Manifest] = {}
    for file in (*files, *overrides):
        for manifest in _objects(file):
            found[key(manifest)] = manifest
    return ManifestSet.ordered(list(found.values()))


def key(manifest: Manifest) -> Key:
    """Kind, namespace ("" if none) and name: what makes two objects the same one."""
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace", ""), metadata["name"]


def _objects(file: Path) -> list[Manifest]:
    try:
        objects: list[Any] = load_rendered(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RenderError(f"{file}: not readable as manifests: {error}") from error
    for number, manifest in enumerate(objects, start=1):
        if not isinstance(manifest, dict) or not {"apiVersion", "kind", "metadata"} <= manifest.keys():
            raise RenderError(f"{file}: document {number} is no Kubernetes object")
    return objects
