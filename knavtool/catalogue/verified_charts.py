"""Whether a chart is what its record takes it for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from knavtool import resources
from knavtool.catalogue.verdicts import Verdict, Verified, failed, judged
from knavtool.documents.yaml import load_rendered
from knavtool.errors import EngineError, RenderError
from knavtool.render.components import merged
from knavtool.render.manifests import is_hook
from knavtool.render.placement import stays_on_real_nodes
from knavtool.toolchain import charts
from knavtool.toolchain.chart_values import known_values, unknown_values

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from knavtool.catalogue.records import ChartFace, Component
    from knavtool.events import Steps
    from knavtool.helm import Helm
    from knavtool.toolchain.resolve import Toolchain


async def verify_chart(
    component: Component, face: ChartFace, toolchain: Toolchain, helm: Helm, *, steps: Steps
) -> AsyncIterator[Verified]:
    """The chart itself, then each values file, then what Helm makes of all of them."""
    name, what = component.name, f"chart {face.name} {face.version}"
    wanted = charts.Chart(repository=face.repository, name=face.name, version=face.version, digest=face.digest)
    try:
        archive = await charts.archive(wanted, toolchain, steps=steps)
    except EngineError as error:
        yield failed(name, what, error)
        return
    try:
        about = await helm.about(archive)
        known = known_values(archive)
    except RenderError as error:
        yield judged(name, what, [error.message])
        return
    yield judged(name, what, list(_other(about, face)), face.repository)
    files = [*face.values, *face.options.values()]
    for file in files:
        yield judged(name, f"values {file}", [f"not known: {one}" for one in unknown_values(_values(file), known)])
    yield await _rendered(component, face, archive, files, helm)


def _other(about: tuple[str, str], face: ChartFace) -> Iterator[str]:
    name, version = about
    if name != face.name or version.removeprefix("v") != face.version.removeprefix("v"):
        yield f"its Chart.yaml says {name} {version}"


def _values(file: str) -> dict[str, Any]:
    return yaml.load(resources.override(file).read_text(encoding="utf-8"), yaml.CSafeLoader) or {}


async def _rendered(component: Component, face: ChartFace, archive: Path, files: list[str], helm: Helm) -> Verified:
    """What Helm makes of the chart with all values, and whether these keep its pods off virtual nodes."""
    values: dict[str, Any] = {}
    for file in files:
        values = merged(values, _values(file))
    what = "objects of the chart"
    try:
        text = await helm.template(archive, release=component.name, namespace=face.namespace, values=values)
        objects = load_rendered(text)
    except (RenderError, yaml.YAMLError) as error:
        return Verified(component=component.name, what=what, result=Verdict.WRONG, reason=str(error))
    astray = [one for one in objects if not (is_hook(one) or stays_on_real_nodes(one))]
    wrong = [f"{one['kind']} {one['metadata']['name']} is not kept off virtual nodes" for one in astray]
    return judged(component.name, what, wrong, f"{len(objects)} objects")
