"""Whether a project's files are there, and have what its record takes from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from knavtool.catalogue.objects import project_objects, with_overrides
from knavtool.catalogue.records import Objects
from knavtool.catalogue.verdicts import Verdict, Verified, failed, judged
from knavtool.documents.schema import nearest
from knavtool.errors import EngineError, KnavError, RenderError
from knavtool.render.placement import pod_spec
from knavtool.toolchain.fetch import ChecksumMismatch, Unanswered, Unavailable
from knavtool.toolchain.pins import GoModule
from knavtool.toolchain.sources import Asset

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator

    from knavtool.catalogue.records import Brought, Component, ProcessFace, Source
    from knavtool.events import Steps
    from knavtool.render.manifests import ManifestSet
    from knavtool.toolchain.resolve import Toolchain

_DEFINITION = "CustomResourceDefinition"
_WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
_KUBERNETES = ("", "apps", "autoscaling", "batch", "policy")
"""Groups of Kubernetes itself; the others end in `.k8s.io`, as those of projects beside it do."""
_KUBERNETES_K8S_IO = (
    "admissionregistration",
    "apiextensions",
    "apiregistration",
    "authentication",
    "authorization",
    "certificates",
    "coordination",
    "discovery",
    "events",
    "flowcontrol.apiserver",
    "networking",
    "node",
    "rbac.authorization",
    "resource",
    "scheduling",
    "storage",
)


async def verify_objects(
    component: Component, toolchain: Toolchain, *, brought: Collection[Brought], steps: Steps
) -> AsyncIterator[Verified]:
    """The module, then the files with sums, then what the record names in the objects."""
    if component.source is not None:
        yield await _module(component, component.source, toolchain)
    for objects in _objects(component):
        async for one in _published(component, objects, toolchain):
            yield one
        try:
            found = await project_objects(component, replace(objects, images={}), toolchain, steps=steps)
        except EngineError as error:
            yield Verified(component=component.name, what="objects", result=Verdict.CANNOT_TELL, reason=_line(error))
            continue
        except RenderError as error:
            yield judged(component.name, "objects", [error.message])
            continue
        yield judged(component.name, "objects", list(_unknown_kinds(found, brought)), f"{len(found)} objects")
        for wrong in _named(component, objects, found):
            yield wrong


def _objects(component: Component) -> list[Objects]:
    """Those that its faces have, each once."""
    found: list[Objects] = []
    for face in (component.manifest, component.process):
        if face is not None and face.objects != Objects() and face.objects not in found:
            found.append(face.objects)
    return found


async def _published(component: Component, objects: Objects, toolchain: Toolchain) -> AsyncIterator[Verified]:
    """The files that are downloaded because their sums are known."""
    name, source, release = component.name, component.source, objects.release
    if release is not None:
        asset = Asset(url=release.url, sha256=release.sha256, checksums=release.checksums)
        yield await _file(name, f"release {PurePosixPath(release.url).name}", asset, toolchain)
    for file in objects.files:
        if source is not None and source.url and file.sha256:
            asset = Asset(url=source.url.replace("{path}", file.path), sha256=file.sha256)
            yield await _file(name, f"file {file.path}", asset, toolchain)


async def _module(component: Component, source: Source, toolchain: Toolchain) -> Verified:
    """Proxies answer in many ways that a module is not there, so that only a wrong sum is wrong."""
    module = GoModule(path=source.module, version="v" + component.version.removeprefix("v"), sum=source.sum)
    what = f"module {module}"
    try:
        await toolchain.module_directory(module)
    except ChecksumMismatch as error:
        return failed(component.name, what, error)
    except EngineError as error:
        return Verified(component=component.name, what=what, result=Verdict.CANNOT_TELL, reason=_line(error))
    return judged(component.name, what, ())


async def _file(component: str, what: str, asset: Asset, toolchain: Toolchain) -> Verified:
    if toolchain.offline:
        return failed(component, what, Unanswered("not allowed by --offline"))
    # The objects are read from there afterwards.
    target = toolchain.store.asset(asset.url)
    target.parent.mkdir(parents=True, exist_ok=True)
    fetcher = toolchain.fetcher
    try:
        expected = await fetcher.expected_sum(asset.url, sha256=asset.sha256, listed_at=asset.checksums)
        await fetcher.download(asset.url, sha256=expected, to=target, progress=lambda _done, _total: None)
    except (Unavailable, ChecksumMismatch) as error:
        target.unlink(missing_ok=True)
        return failed(component, what, error)
    return judged(component, what, ())


def _named(component: Component, objects: Objects, found: ManifestSet) -> Iterator[Verified]:
    """What the record names in its objects."""
    name = component.name
    if objects.images:
        used = {_untagged(image) for image in _images(found)}
        # A release has the published images already.
        missing = [one for one, published in objects.images.items() if not {one, _untagged(published)} & used]
        wrong = [f"no container has {one}{nearest(one, used)}" for one in missing]
        yield judged(name, "images", wrong, ", ".join(objects.images))
    manifest, process = component.manifest, component.process
    if manifest is not None and manifest.objects == objects:
        try:
            with_overrides(found, (*manifest.overrides, *manifest.existing))
        except RenderError as error:
            yield judged(name, "overrides", [error.message])
        else:
            yield judged(name, "overrides", ())
    if process is not None and process.objects == objects:
        yield from _of_process(name, process, found)


def _of_process(name: str, process: ProcessFace, found: ManifestSet) -> Iterator[Verified]:
    if process.keep_kinds:
        kinds = {one["kind"] for one in found}
        wrong = [f"there is no {kind}{nearest(kind, kinds)}" for kind in process.keep_kinds if kind not in kinds]
        yield judged(name, "keepKinds", wrong, ", ".join(process.keep_kinds))
    if process.webhooks is not None:
        served = {hook["name"] for one in found if one["kind"] in _WEBHOOKS for hook in one.get("webhooks") or ()}
        wanted = served if process.webhooks.keep is None else process.webhooks.keep.keys()
        wrong = [f"there is no {one}{nearest(one, served)}" for one in wanted if one not in served]
        if not served:
            wrong = ["there are no webhooks"]
        yield judged(name, "webhooks", wrong, f"{len(wanted)} of {len(served)}")


def _unknown_kinds(found: ManifestSet, brought: Collection[Brought]) -> Iterator[str]:
    """Kinds that neither Kubernetes has nor a definition among the objects nor any component brings."""
    defined = {(one["spec"]["group"], one["spec"]["names"]["kind"]) for one in found if one["kind"] == _DEFINITION}
    for group, kind in dict.fromkeys((one["apiVersion"].rpartition("/")[0], one["kind"]) for one in found):
        known = group in _KUBERNETES or group.removesuffix(".k8s.io") in _KUBERNETES_K8S_IO
        if not (known or (group, kind) in defined or any(one.has(group, kind) for one in brought)):
            yield f"nothing brings {kind} of {group}"


def _images(found: ManifestSet) -> Iterator[str]:
    for spec in filter(None, map(pod_spec, found)):
        for part in ("initContainers", "containers"):
            yield from (one["image"] for one in spec.get(part) or () if "image" in one)


def _untagged(image: str) -> str:
    host, slash, last = image.partition("@")[0].rpartition("/")
    return host + slash + last.partition(":")[0]


def _line(error: KnavError) -> str:
    return "; ".join(error.message.split("\n"))
