"""What `cluster up` has to do, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.catalogue import gates
from knavtool.engines.local.components.component_processes import ComponentProcesses
from knavtool.engines.local.control_plane.settings import PROCESSES
from knavtool.engines.local.state.ports import LOOPBACK
from knavtool.settings.describing import options
from knavtool.settings.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from knavtool.catalogue.records import Component
    from knavtool.engines.local.plan import Plan, Wanted
    from knavtool.engines.local.state.layout import ClusterFiles


def describe(files: ClusterFiles, wanted: Wanted, plan: Plan, versions: Mapping[str, str]) -> Iterator[str]:
    """The plan for people, one line per action."""
    if plan.nothing:
        yield f"nothing to do: cluster {files.name} is as wanted"
        return
    if plan.record is None:
        yield from _create(files, wanted, plan, versions)
    for one in plan.starting:
        yield from _install(one)
    for name in plan.dead:
        yield f"start {name} again"
    for use, why in plan.moved.items():
        yield f"choose another port for {use}: {why}"
    for one in plan.starting:
        yield from _start(files, one, plan)
    for change in plan.changing:
        yield change.described()
    for one in plan.leaving:
        yield f"remove {one.name}"
    if plan.add_context:
        yield f"add context {files.context} to {wanted.kubeconfig} and make it current"


def _install(chosen: Component) -> Iterator[str]:
    face = chosen.process or chosen.manifest
    if face is None or chosen.source is None:
        return
    project = f"{chosen.source.module}@{chosen.version}"
    names = [face.objects.kustomization] if face.objects.kustomization else [file.path for file in face.objects.files]
    for name in names:
        yield f"create what is missing of {name} of {project}"
    for override in face.overrides:
        yield f"override it with charts/overrides/{override}"


def _start(files: ClusterFiles, one: Component, plan: Plan) -> Iterator[str]:
    again = " again, for what is new" if one.name in plan.again else ""
    host = ComponentProcesses(files, one, {}, plan.settings.get(one.name, Settings()))
    for process in one.processes:
        part = host.settings_of(process.name)
        how = f" with {options(one.name, part)}" if part else ""
        yield f"start {process.name} {one.version} on {LOOPBACK}{again}{how}"


def _create(files: ClusterFiles, wanted: Wanted, plan: Plan, versions: Mapping[str, str]) -> Iterator[str]:
    yield f"create cluster {files.name} in {files.directory}"
    for name in PROCESSES:
        yield f"start {name} {versions[name]} on {LOOPBACK}"
    if set_ := gates.feature_gates(wanted.feature_gates or "", plan.components):
        yield f"set feature gates {set_}"
    if served := gates.runtime_config(wanted.runtime_config or "", plan.components):
        yield f"serve {served}"
