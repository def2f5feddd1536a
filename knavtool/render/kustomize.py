"""Objects as a Kustomize tree: those of a project as they came, in `base/`, and what differs from them on top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.documents.yaml import dump
from knavtool.render.components import key
from knavtool.render.placement import on_real_nodes, real_nodes_patch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from knavtool.render.manifests import Manifest, ManifestSet

KUSTOMIZATION = "kustomization.yaml"
MARK = "# Written by `knavtool cluster render`.\n"
"""The first line of the kustomizations of a tree: what has it may be replaced."""
_BASE = "base"
_OBJECTS = "objects.yaml"
_PATCHES = "real-nodes.yaml"


def overlay(
    base: Mapping[str, str], theirs: ManifestSet, images: Mapping[str, str], wanted: ManifestSet
) -> dict[str, str]:
    """Files by path, of which `kubectl kustomize` makes the wanted objects.

    `base` are the texts of the project's files by name, `theirs` the objects in them with `images` replaced. What keeps
    pods off virtual nodes becomes a strategic merge patch, an object in the place of theirs a JSON patch, and what they
    have not is a resource.
    """
    files = {f"{_BASE}/{name}": text for name, text in base.items()}
    if base:
        files[f"{_BASE}/{KUSTOMIZATION}"] = kustomization(sorted(base))
    known = {key(manifest): manifest for manifest in theirs}
    patches: list[dict[str, Any]] = []
    added: list[Manifest] = []
    placed: list[Manifest] = []
    for manifest in wanted:
        before = known.get(key(manifest))
        if before is None:
            added.append(manifest)
        elif manifest == before:
            continue
        elif manifest == on_real_nodes(before):
            placed.append(real_nodes_patch(manifest))
        else:
            path = "-".join(("replace", *filter(None, key(manifest)))).lower() + ".yaml"
            files[path] = dump([_json_patch(before, manifest)])
            patches.append({"path": path, "target": _target(before)})
    if placed:
        files[_PATCHES] = dump(placed)
        patches.append({"path": _PATCHES})
    if added:
        files[_OBJECTS] = dump(added)
    resources = [*([_BASE] if base else ()), *([_OBJECTS] if added else ())]
    files[KUSTOMIZATION] = MARK + kustomization(resources, images=images, patches=patches)
    return files


def kustomization(
    resources: Iterable[str],
    *,
    images: Mapping[str, str] | None = None,
    patches: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The text of a `kustomization.yaml`."""
    document: dict[str, Any] = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(resources),
    }
    if images:
        document["images"] = [_image(name, image) for name, image in images.items()]
    if patches:
        document["patches"] = list(patches)
    return dump([document])


def _image(name: str, image: str) -> dict[str, str]:
    new, _, digest = image.partition("@")
    host, slash, last = new.rpartition("/")
    last, _, tag = last.partition(":")
    found = {"name": name, "newName": f"{host}{slash}{last}", "newTag": tag, "digest": digest}
    return {field: value for field, value in found.items() if value}


def _target(manifest: Manifest) -> dict[str, str]:
    """Which object a JSON patch is for."""
    group, _, version = manifest["apiVersion"].rpartition("/")
    kind, namespace, name = key(manifest)
    found = {"group": group, "version": version, "kind": kind, "namespace": namespace, "name": name}
    return {field: value for field, value in found.items() if value}


def _json_patch(before: Manifest, after: Manifest) -> list[dict[str, Any]]:
    """Operations on the top fields; a strategic merge cannot replace a whole object."""
    gone = [{"op": "remove", "path": f"/{field}"} for field in before if field not in after]
    return gone + [
        {"op": "add", "path": f"/{field}", "value": value}
        for field, value in after.items()
        if before.get(field) != value or field not in before
    ]
