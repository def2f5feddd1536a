"""The objects of a component: fetched from its project, and kept in a form that is read a hundred times faster."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from typing import TYPE_CHECKING

import orjson

from knavtool import resources
from knavtool.atomic import atomic_write
from knavtool.render.components import overridden, render_component, with_images
from knavtool.render.manifests import ManifestSet
from knavtool.taskgroup import task_group
from knavtool.toolchain.pins import GoModule
from knavtool.toolchain.sources import Asset, Sources
from knavtool.toolchain.store import writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from knavtool.catalogue.records import Component, Objects
    from knavtool.events import Steps
    from knavtool.toolchain.resolve import Toolchain


async def project_objects(component: Component, objects: Objects, toolchain: Toolchain, *, steps: Steps) -> ManifestSet:
    """The project's own objects, with the images that the record names; none of ours."""
    files = await project_files(component, objects, toolchain, steps=steps)
    parsed = await asyncio.to_thread(_parsed, files, toolchain.store.root / "parsed")
    return with_images(parsed, objects.images)


async def project_files(component: Component, objects: Objects, toolchain: Toolchain, *, steps: Steps) -> list[Path]:
    """The files in which the project's own objects are, as they were fetched."""
    async with task_group() as group:
        tasks = [group.create_task(toolchain.manifests(source, steps=steps)) for source in _sources(component, objects)]
    return [file for task in tasks for file in task.result()]


def with_overrides(
    manifests: ManifestSet, names: tuple[str, ...], values: Mapping[str, str] | None = None
) -> ManifestSet:
    """The objects with ours, from files below charts/overrides, in the place of those of the same kind and name."""
    return overridden(manifests, [resources.override(name) for name in names], values)


def _sources(component: Component, objects: Objects) -> Iterator[Sources]:
    source, release = component.source, objects.release
    asset = Asset(url=release.url, sha256=release.sha256, checksums=release.checksums) if release is not None else None
    if source is None:
        if asset is not None:
            yield Sources(asset=asset)
        return
    if source.directory is not None:
        paths = () if objects.kustomization is not None else tuple(file.path for file in objects.files)
        yield Sources(directory=source.directory, kustomization=objects.kustomization, paths=paths)
        return
    version = "v" + component.version.removeprefix("v")
    module = GoModule(path=source.module, version=version, sum=source.sum)
    if asset is not None or objects.kustomization is not None:
        yield Sources(asset=asset, module=module, kustomization=objects.kustomization)
        return
    for file in objects.files:
        url = source.url.replace("{path}", file.path) if source.url and file.sha256 else None
        yield Sources(asset=Asset(url=url, sha256=file.sha256) if url else None, module=module, paths=(file.path,))


def _parsed(files: list[Path], cache: Path) -> ManifestSet:
    """The objects of files; definitions of kinds are megabytes of YAML, which take seconds to read."""
    if not files:
        return ManifestSet()
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    kept = cache / f"{digest.hexdigest()}.json"
    # An entry that is damaged is made again.
    with contextlib.suppress(FileNotFoundError, orjson.JSONDecodeError):
        return ManifestSet.ordered(orjson.loads(kept.read_bytes()))
    rendered = render_component(files)
    with writing(kept):
        kept.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(kept, orjson.dumps(list(rendered)))
    return rendered
