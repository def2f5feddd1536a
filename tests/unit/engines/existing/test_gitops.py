"""What `cluster render` writes is what `cluster up --engine existing` sends."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from knavtool.catalogue.catalogue import Catalogue
from knavtool.catalogue.records import ChartFace, Component
from knavtool.documents.yaml import load_rendered
from knavtool.engines.existing.gitops import render_tree
from knavtool.engines.existing.prepare import Preparation
from knavtool.events import Event, Noted, Steps
from knavtool.harness.programs import toolchain_from_environment
from knavtool.helm import Helm
from knavtool.render.components import key
from knavtool.render.output import write_tree
from knavtool.render.placement import pod_spec, stays_on_real_nodes
from knavtool.toolchain.pins import GoModule
from support.chart_repository import REAL, definition, deployment, write_chart
from support.programs import program

pytestmark = pytest.mark.cluster

CATALOGUE = Catalogue.load({})
SECOND_SCHEDULER = "manifests/install/charts/as-a-second-scheduler"


def by_key(manifests: Iterable[dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    found = list(manifests)
    assert len({key(one) for one in found}) == len(found)
    return {key(one): one for one in found}


def kustomized(directory: Path) -> dict[Any, dict[str, Any]]:
    """The objects that `kubectl kustomize` makes of a directory."""
    command = [program("kubectl"), "kustomize", directory]
    return by_key(load_rendered(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def preparation(said: list[Event], **charts: Path) -> Preparation:
    return Preparation(
        toolchain=toolchain_from_environment(os.environ),
        helm=Helm(program("helm")),
        local=charts,
        options=(),
        kube_version="",
        steps=Steps(said.append),
    )


def noted(said: list[Event]) -> list[str]:
    return [one.message for one in said if isinstance(one, Noted) and one.warning]


def face_names() -> list[str]:
    return [one.name for one in CATALOGUE.sound()[0] if one.manifest is not None and one.chart is None]


@pytest.mark.parametrize("name", face_names())
async def test_kustomize_gives_what_up_sends(name: str, tmp_path: Path) -> None:
    component = CATALOGUE.component(name)
    prepared = preparation([])
    write_tree(await render_tree([component], prepared), tmp_path)
    sent = by_key((await prepared.component(component)).objects)
    assert kustomized(tmp_path / name) == sent
    assert kustomized(tmp_path) == sent


@pytest.mark.slow
async def test_the_whole_tree_gives_what_all_components_send(tmp_path: Path) -> None:
    components = [CATALOGUE.component(name) for name in face_names()]
    prepared, said = preparation([]), list[Event]()
    write_tree(await render_tree(components, preparation(said)), tmp_path)
    sent = [manifest for one in components for manifest in (await prepared.component(one)).objects]
    assert kustomized(tmp_path) == by_key(sent)
    assert noted(said) == []


def chart_of(**more: Any) -> Component:
    face = ChartFace(
        repository="https://charts.example/stable", name="gadget", version="1.0.0", namespace="gadget", **more
    )
    return Component(name="gadget", title="Gadget", description="Made by a test.", version="1.0.0", chart=face)


def templated(directory: Path, chart: Path) -> dict[Any, dict[str, Any]]:
    """The objects that Helm makes with the values of a directory."""
    told: Mapping[str, Any] = yaml.safe_load((directory / "chart.yaml").read_text())
    options = ["--namespace", told["namespace"], "--values", directory / told["valuesFile"], "--skip-crds"]
    command = [program("helm"), "template", told["releaseName"], chart, *options]
    return by_key(load_rendered(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


async def test_a_chart_with_its_values_gives_what_up_installs(tmp_path: Path) -> None:
    chart = write_chart(tmp_path / "chart", deployment("controller", affinity=REAL), crds=(definition("Gadget", "v1"),))
    values = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "values"}}
    (chart / "templates" / "values.yaml").write_text(
        yaml.safe_dump(values) + "data:\n  all: {{ toJson .Values | quote }}\n  of: {{ .Release | toJson | quote }}\n"
    )
    component, said = chart_of(values=("volcano/values.yaml", "coscheduling/values.yaml")), list[Event]()
    prepared = preparation(said, gadget=chart)
    write_tree(await render_tree([component], prepared), tmp_path / "tree")
    installation = await prepared.component(component)
    assert installation.release is not None
    directory = tmp_path / "tree" / "gadget"
    assert kustomized(directory) == by_key(installation.objects)
    assert [one[0] for one in kustomized(directory)] == ["Namespace", "CustomResourceDefinition"]
    assert templated(directory, chart) == by_key(installation.release.objects)
    assert yaml.safe_load((directory / "values.yaml").read_text()) == installation.release.values
    assert noted(said) == []
    assert (
        "helm upgrade --install gadget gadget --repo https://charts.example/stable --version 1.0.0 --namespace gadget "
        "--values gadget/values.yaml --skip-crds --wait\n"
    ) in (tmp_path / "tree" / "README.md").read_text()


async def module_chart(name: str, path: str) -> Path:
    """The directory of a chart in the Go module of a component."""
    component = CATALOGUE.component(name)
    source = component.source or CATALOGUE.component(component.follows).source
    assert source is not None
    assert component.chart is not None
    version = f"v{component.chart.version}"
    pinned = source.sum if version == component.version else None
    module = GoModule(path=source.module, version=version, sum=pinned)
    return Path(await toolchain_from_environment(os.environ).module_directory(module), path)


@pytest.mark.parametrize(
    ("name", "path", "programs"),
    [
        ("volcano", "installer/helm/chart/volcano", 3),
        ("coscheduling", SECOND_SCHEDULER, 2),
        ("capacity-scheduling", SECOND_SCHEDULER, 2),
        ("network-aware", SECOND_SCHEDULER, 2),
    ],
)
async def test_charts_of_projects_are_written_as_they_are_installed(
    name: str, path: str, programs: int, tmp_path: Path
) -> None:
    """These charts lie in the Go modules of their projects."""
    component, said = CATALOGUE.component(name), list[Event]()
    chart = await module_chart(name, path)
    prepared = preparation(said, **{name: chart})
    write_tree(await render_tree([component], prepared), tmp_path)
    installation = await prepared.component(component)
    assert installation.release is not None
    assert kustomized(tmp_path / name) == by_key(installation.objects)
    rendered = templated(tmp_path / name, chart)
    hooks = {what for what, one in rendered.items() if "helm.sh/hook" in (one["metadata"].get("annotations") or {})}
    assert {what: one for what, one in rendered.items() if what not in hooks} == by_key(installation.release.objects)
    makers = [one for one in rendered.values() if pod_spec(one) is not None]
    assert len(makers) >= programs
    assert {(one.kind, one.name) for one in installation.hooks} >= {(kind, name) for kind, _, name in hooks}
    assert [key(one) for one in makers if not stays_on_real_nodes(one)] == []
    assert noted(said) == []


async def test_a_chart_of_another_version_than_the_files_name_is_told(tmp_path: Path) -> None:
    said: list[Event] = []
    chart = write_chart(tmp_path / "chart", version="2.0.0")
    await render_tree([chart_of()], preparation(said, gadget=chart))
    (told,) = noted(said)
    assert "gadget 2.0.0, but gadget/chart.yaml names gadget 1.0.0 of https://charts.example/stable" in told


async def test_an_object_of_two_components_is_told(tmp_path: Path) -> None:
    said: list[Event] = []
    twin = replace(chart_of(), name="twin")
    charts = {name: write_chart(tmp_path / name) for name in ("gadget", "twin")}
    await render_tree([chart_of(), twin], preparation(said, **charts))
    (told,) = noted(said)
    assert told.startswith("gadget and twin both have Namespace gadget")
