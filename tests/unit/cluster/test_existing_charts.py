"""Charts of the catalogue, as far as this machine has them without a chart repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from knavtool.cli.programs import toolchain_from_environment
from knavtool.cluster.components.catalogue import Catalogue
from knavtool.cluster.engines.existing.prepare import Preparation
from knavtool.cluster.toolchain.pins import GoModule
from knavtool.events import Event, Noted, Steps
from knavtool.helm import Helm
from knavtool.render.placement import pod_spec, stays_on_real_nodes
from support.programs import program


@pytest.mark.cluster
async def test_the_chart_of_volcano_keeps_its_controllers_off_virtual_nodes() -> None:
    component = Catalogue.load({}).component("volcano")
    assert component.source is not None
    toolchain = toolchain_from_environment()
    module = GoModule(path=component.source.module, version=component.version, sum=component.source.sum)
    directory = await toolchain.module_directory(module)
    said: list[Event] = []
    preparation = Preparation(
        toolchain=toolchain,
        helm=Helm(program("helm")),
        local={"volcano": Path(directory, "installer/helm/chart/volcano")},
        options=(),
        kube_version="v1.37.2",
        steps=Steps(said.append),
    )
    installation = await preparation.component(component)
    assert installation.release is not None
    makers = [one for one in installation.release.objects if pod_spec(one) is not None]
    assert len(makers) >= 3
    assert all(map(stays_on_real_nodes, makers))
    assert [one.message for one in said if isinstance(one, Noted)] == []
    assert {"vc-scheduler", "vc-controller-manager", "vc-webhook-manager"} <= installation.programs
