"""Component manifests: the files of a project, with objects of ours in place of some of theirs."""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from knavtool.documents.yaml import load_rendered
from knavtool.errors import RenderError
from knavtool.render.manifests import Manifest, ManifestSet
from knavtool.render.objects import flattened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Key: TypeAlias = "tuple[str, str, str]"
PATCH = ".patch.yaml"
"""The end of the names of files whose objects are merged into those of the project."""


def render_component(files: Sequence[Path]) -> ManifestSet:
    """The objects of all files."""
    return ManifestSet.ordered([manifest for file in files for manifest in _objects(file, read_text(file))])


def overridden(
    manifests: ManifestSet, overrides: Sequence[Path], values: Mapping[str, str] | None = None
) -> ManifestSet:
    """The manifests, with an object of an override in the place of the one of the same kind and name, or added.

    An object in a file `*.patch.yaml` is merged into its namesake instead: maps are joined, all else is replaced. With
    `values`, each `${name}` in an override is replaced first. Raises RenderError for a patch of nothing.
    """
    found = {key(manifest): manifest for manifest in manifests}
    for file in overrides:
        text = read_text(file)
        for manifest in _objects(file, text if values is None else fill(text, values, str(file))):
            what = key(manifest)
            if file.name.endswith(PATCH):
                if what not in found:
                    raise RenderError(f"{file}: there is no {' '.join(filter(None, what))} to patch")
                found[what] = merged(found[what], manifest)
            else:
                found[what] = manifest
    return ManifestSet.ordered(list(found.values()))


def with_images(manifests: ManifestSet, images: Mapping[str, str]) -> ManifestSet:
    """The manifests, with images by their name without a tag replaced in all containers, as kustomize does it."""
    return ManifestSet(tuple(_with_images(manifest, images) for manifest in manifests)) if images else manifests


def key(manifest: Manifest) -> Key:
    """Kind, namespace ("" if none) and name: what makes two objects the same one."""
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace", ""), metadata["name"]


def fill(text: str, values: Mapping[str, str], where: str) -> str:
    """The text with each `${name}` replaced; raises RenderError for a name without a value."""
    try:
        return Template(text).substitute(values)
    except (KeyError, ValueError) as error:
        raise RenderError(f"{where}: ${{...}} cannot be filled in: {error}") from error


def read_text(file: Path) -> str:
    """The text of a manifest or a template; RenderError if it cannot be read."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RenderError(f"{file}: not readable: {error}") from error


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Maps joined, everything else replaced, as Helm does with values files."""
    joined = dict(below)
    for name, value in above.items():
        known = joined.get(name)
        joined[name] = merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return joined


def _with_images(manifest: Manifest, images: Mapping[str, str]) -> Manifest:
    spec = manifest.get("spec")
    template = spec.get("template") if isinstance(spec, dict) else None
    pod = template.get("spec") if isinstance(template, dict) else None
    if not isinstance(pod, dict):
        return manifest
    changed = dict(pod)
    for part in ("initContainers", "containers"):
        if part in pod:
            changed[part] = [
                {**one, "image": _image(one["image"], images)} if "image" in one else one for one in pod[part]
            ]
    return {**manifest, "spec": {**manifest["spec"], "template": {**manifest["spec"]["template"], "spec": changed}}}


def _image(image: str, images: Mapping[str, str]) -> str:
    host, slash, last = image.partition("@")[0].rpartition("/")
    return images.get(host + slash + last.partition(":")[0], image)


def _objects(file: Path, text: str) -> list[Manifest]:
    try:
        objects: list[Any] = list(flattened(load_rendered(text)))
    except yaml.YAMLError as error:
        raise RenderError(f"{file}: not readable as manifests: {error}") from error
    for number, manifest in enumerate(objects, start=1):
        if not isinstance(manifest, dict) or not {"apiVersion", "kind", "metadata"} <= manifest.keys():
            raise RenderError(f"{file}: document {number} is no Kubernetes object")
    return objects
