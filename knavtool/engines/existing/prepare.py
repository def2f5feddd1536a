"""From a record of the catalogue to what is installed: files fetched, objects rendered, kept off virtual nodes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import yaml

from knavtool import resources
from knavtool.catalogue.credentials import filled
from knavtool.catalogue.objects import project_objects, with_overrides
from knavtool.documents.yaml import load_rendered
from knavtool.engines.existing.installation import Installation, Ref, Release
from knavtool.errors import UsageError
from knavtool.render.components import merged
from knavtool.render.manifests import ManifestSet, is_hook
from knavtool.render.placement import on_real_nodes, stays_on_real_nodes
from knavtool.toolchain import charts
from knavtool.toolchain.chart_values import known_values, unknown_values

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from knavtool.catalogue.records import ChartFace, Component
    from knavtool.events import Steps
    from knavtool.helm import Helm
    from knavtool.kube.discovery import ServedKinds
    from knavtool.kube.resource import Manifest
    from knavtool.toolchain.resolve import Toolchain


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What all components are prepared with.

    `local` are charts of the user by component, `options` the names of those that are asked for. `kube_version` is the
    cluster's, and `api_versions` are what it serves, for example `apps/v1` and `apps/v1/Deployment`. `credentials` are
    values of environment variables; in values files of charts, a variable without one stays as it is written. `values`
    are those that the user gives to charts, by component.
    """

    toolchain: Toolchain
    helm: Helm | None
    local: Mapping[str, Path]
    options: Collection[str]
    kube_version: str
    steps: Steps
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    api_versions: Collection[str] = ()
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)

    async def components(self, wanted: Sequence[Component]) -> list[Installation]:
        """Each as `component` makes it, but charts are told of the kinds that any of them defines, as Helm will be."""
        definitions: list[Manifest] = []
        for one in wanted:
            if one.chart is not None:
                definitions += load_rendered(await self._program().crds(await self._archive(one, one.chart)))
            else:
                definitions += (await self.component(one)).definitions
        extended = replace(self, api_versions={*self.api_versions, *_defined(definitions)})
        return [await extended.component(one) for one in wanted]

    async def component(self, component: Component) -> Installation:
        """One component as it is to be in the cluster. Raises UsageError if it has no face for that."""
        links = (*component.needs, *component.after)
        serves = component.control_plane.serves if component.control_plane is not None else ()
        if component.chart is not None:
            return await self._chart(component, component.chart, links)
        if component.manifest is not None:
            face = component.manifest
            theirs = await project_objects(component, face.objects, self.toolchain, steps=self.steps)
            ours = with_overrides(theirs, (*face.overrides, *face.existing))
            objects = ManifestSet.ordered([on_real_nodes(one) for one in ours])
            return Installation(
                name=component.name,
                version=component.version,
                objects=objects,
                after=face.after,
                serves=serves,
                needs=links,
                makes=_makes(component),
            )
        if component.control_plane is None:
            hint = "it runs beside a local cluster: `knavtool cluster up` without --engine existing"
            raise UsageError(f"{component.name} cannot be installed in a cluster that exists", hint=hint)
        return Installation(name=component.name, version=component.version, serves=serves, needs=links)

    async def _chart(self, component: Component, face: ChartFace, links: tuple[str, ...]) -> Installation:
        helm = self._program()
        chart = await self._archive(component, face)
        version = component.version
        if component.name in self.local:
            _, version = await helm.about(chart)
        given = self.values.get(component.name, {})
        for name in unknown_values(given, known_values(chart)) if given else ():
            self.steps.note(f"--values {component.name}: the chart does not know {name}", warning=True)
        values = filled(merged(_values(face, self.options), given), component, self.credentials)
        text = await helm.template(
            chart,
            release=component.name,
            namespace=face.namespace,
            values=values,
            kube_version=self.kube_version,
            api_versions=sorted(self.api_versions),
        )
        rendered = load_rendered(text)
        definitions = load_rendered(await helm.crds(chart))
        objects = [one for one in rendered if not is_hook(one)]
        for one in objects:
            if not stays_on_real_nodes(one):
                where = f"{one['kind']} {one['metadata']['name']} of {component.name}"
                self.steps.note(f"the chart's values do not keep {where} off virtual nodes", warning=True)
        namespace: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": face.namespace}}
        release = Release(
            name=component.name,
            namespace=face.namespace,
            chart=chart,
            values=values,
            objects=ManifestSet.ordered(objects),
        )
        return Installation(
            name=component.name,
            version=version,
            objects=ManifestSet.ordered([namespace, *definitions]),
            release=release,
            needs=links,
            makes=_makes(component),
            hooks=tuple(_hooks(rendered, face.namespace)),
            given=given,
        )

    async def _archive(self, component: Component, face: ChartFace) -> Path:
        if component.name in self.local:
            return self.local[component.name]
        wanted = charts.Chart(
            repository=face.repository,
            name=face.name,
            version=face.version,
            digest=face.digest,
            manifest=face.manifest,
        )
        return await charts.archive(wanted, self.toolchain, steps=self.steps)

    def _program(self) -> Helm:
        assert self.helm is not None  # noqa: S101 - there is one if a component is a chart
        return self.helm


def api_versions(served: ServedKinds) -> Iterator[str]:
    """What a cluster serves, as Helm tells a chart that is installed: each group version, and each kind in it."""
    for version, kinds in served.versions.items():
        yield version
        yield from (f"{version}/{kind}" for kind in kinds)


def _defined(definitions: Iterable[Manifest]) -> Iterator[str]:
    """Group versions and kinds that definitions bring, as charts ask for them."""
    for one in definitions:
        spec = one["spec"]
        for version in (version["name"] for version in spec["versions"] if version["served"]):
            yield f"{spec['group']}/{version}"
            yield f"{spec['group']}/{version}/{spec['names']['kind']}"


def _makes(component: Component) -> tuple[Ref, ...]:
    return tuple(Ref(one.api_version, one.kind, one.namespace, one.name) for one in component.makes)


def _hooks(rendered: Iterable[Manifest], namespace: str) -> Iterator[Ref]:
    """The hooks of a chart, which Helm may leave behind."""
    for one in filter(is_hook, rendered):
        yield Ref(
            one["apiVersion"], one["kind"], one["metadata"].get("namespace") or namespace, one["metadata"]["name"]
        )


def _values(face: ChartFace, options: Collection[str]) -> dict[str, Any]:
    """The record's values files, one over the other, then those of the options that are asked for."""
    chosen = [*face.values, *(file for option, file in face.options.items() if option in options)]
    values: dict[str, Any] = {}
    for name in chosen:
        text = resources.override(name).read_text(encoding="utf-8")
        values = merged(values, yaml.load(text, yaml.CSafeLoader) or {})
    return values
