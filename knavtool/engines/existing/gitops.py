"""What `cluster up` would install in a cluster, as files for GitOps: a Kustomize tree, and values files for Helm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from knavtool.catalogue.objects import project_files, project_objects
from knavtool.documents.yaml import dump
from knavtool.render.components import key, read_text
from knavtool.render.kustomize import KUSTOMIZATION, MARK, kustomization, overlay
from knavtool.render.manifests import ManifestSet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from knavtool.catalogue.records import ChartFace, Component
    from knavtool.engines.existing.installation import Installation
    from knavtool.engines.existing.prepare import Preparation

CHART = "chart.yaml"
VALUES = "values.yaml"
README = "README.md"
_INTRODUCTION = """\
# Components of a cluster

Written by `knavtool cluster render`, which replaces these files when it is run again. They are what
`knavtool cluster up --engine existing` would install, in this order.

`kubectl apply --server-side -k .` applies all that is not a chart. What kubectl refuses because a kind is not served
yet, it takes when it is run again.
"""


class _Part(NamedTuple):
    component: Component
    installation: Installation
    files: dict[str, str]


async def render_tree(components: Sequence[Component], preparation: Preparation) -> dict[str, str]:
    """The texts of all files by path: one directory for each component that has objects, in the order of installation.

    `kubectl kustomize` of such a directory gives what knavtool sends of the component. For a chart these are its
    namespace and definitions of kinds, and the rest is said by `chart.yaml` and `values.yaml`.
    """
    parts = [await _part(component, preparation) for component in components]
    _note_repetitions(parts, preparation)
    files = {f"{one.component.name}/{path}": text for one in parts for path, text in one.files.items()}
    files[KUSTOMIZATION] = MARK + kustomization(one.component.name for one in parts if one.files)
    files[README] = "\n".join([_INTRODUCTION, *(line for one in parts for line in _section(one))])
    return files


async def _part(component: Component, preparation: Preparation) -> _Part:
    installation = await preparation.component(component)
    if (chart := component.chart) is not None and installation.release is not None:
        await _check_local(component, chart, preparation)
        files = overlay({}, ManifestSet(), {}, installation.objects)
        files |= {
            CHART: dump([_chart(component.name, chart)]),
            VALUES: dump([installation.release.values]),
        }
        return _Part(component, installation, files)
    if (face := component.manifest) is None:
        return _Part(component, installation, {})
    toolchain, steps = preparation.toolchain, preparation.steps
    theirs = await project_objects(component, face.objects, toolchain, steps=steps)
    fetched = await project_files(component, face.objects, toolchain, steps=steps)
    base = dict(zip(_names(fetched), (read_text(file) for file in fetched), strict=True))
    return _Part(component, installation, overlay(base, theirs, face.objects.images, installation.objects))


def _names(files: Sequence[Path]) -> list[str]:
    """Names for files of different directories; that of a single one does not depend on where it was fetched."""
    if len(files) == 1:
        return ["objects.yaml"]
    depth = 1
    while True:
        names = ["-".join(file.parts[-depth:]) for file in files]
        if len(set(names)) == len(files):
            return names
        depth += 1


def _chart(release: str, face: ChartFace) -> dict[str, Any]:
    """The fields of an entry of `helmCharts` in a kustomization."""
    return {
        "name": face.name,
        "repo": face.repository,
        "version": face.version,
        "releaseName": release,
        "namespace": face.namespace,
        "valuesFile": VALUES,
        "includeCRDs": False,
    }


async def _check_local(component: Component, face: ChartFace, preparation: Preparation) -> None:
    """Tell if a chart of the user is not the one that the files name."""
    path, helm = preparation.local.get(component.name), preparation.helm
    if path is None or helm is None:
        return
    name, version = await helm.about(path)
    if (name, version.removeprefix("v")) != (face.name, face.version.removeprefix("v")):
        mismatch = f"{path} is {name} {version}, but {component.name}/{CHART} names {face.name} {face.version}"
        preparation.steps.note(f"{mismatch} of {face.repository}", warning=True)


def _note_repetitions(parts: Sequence[_Part], preparation: Preparation) -> None:
    """Tell of objects that two components have: Kustomize takes no object twice."""
    seen: dict[tuple[str, str, str], str] = {}
    for one in parts:
        for manifest in one.installation.objects:
            what, name = key(manifest), one.component.name
            if (first := seen.setdefault(what, name)) != name:
                note = f"{first} and {name} both have {' '.join(filter(None, what))}"
                preparation.steps.note(f"{note}: apply their directories one by one", warning=True)


def _section(one: _Part) -> Iterator[str]:
    component, name = one.component, one.component.name
    yield f"## {one.installation.title}\n"
    if (face := component.control_plane) is not None:
        gates = ",".join(f"{gate}={str(on).lower()}" for gate, on in face.feature_gates.items())
        config = ",".join(f"{api}={str(on).lower()}" for api, on in face.runtime_config.items())
        yield f"The control plane must run with `--feature-gates={gates}` and `--runtime-config={config}`.\n"
    if not one.files:
        return
    yield "```"
    yield f"kubectl apply --server-side -k {name}"
    if (chart := component.chart) is not None:
        yield _helm(component, chart)
    yield "```\n"
    if component.credentials:
        yield "`envsubst` fills in these environment variables:\n"
        yield from (f"- `{one.variable}`: {one.description}" for one in component.credentials)
        yield ""


def _helm(component: Component, face: ChartFace) -> str:
    """The command that does what `cluster up` lets Helm do."""
    values = f"{component.name}/{VALUES}"
    chart = f"{face.name} --repo {face.repository}"
    if face.repository.startswith("oci://"):
        chart = f"{face.repository.rstrip('/')}/{face.name}"
    before = ""
    if component.credentials:
        variables = " ".join(f"${one.variable}" for one in component.credentials)
        before, values = f"envsubst '{variables}' < {values} | ", "-"
    command = f"helm upgrade --install {component.name} {chart} --version {face.version} --namespace {face.namespace}"
    return f"{before}{command} --values {values} --skip-crds --wait"
