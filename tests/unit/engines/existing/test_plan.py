"""What charts are told of the cluster, and which rights an installation takes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from knavtool.catalogue.records import ChartFace, Component
from knavtool.engines.existing import rights
from knavtool.engines.existing.installation import Installation
from knavtool.engines.existing.look import Kinds, identify
from knavtool.engines.existing.prepare import Preparation, api_versions
from knavtool.events import Steps
from knavtool.harness.programs import toolchain_from_environment
from knavtool.helm import Helm
from knavtool.kube.discovery import ServedKinds
from knavtool.kube.resource import Resource
from knavtool.render.manifests import ManifestSet
from support.chart_repository import definition, write_chart
from support.events import ignore
from support.memory import Memory
from support.programs import program

ASKING = """
apiVersion: v1
kind: ConfigMap
metadata: {name: told}
data:
  own: {{ .Capabilities.APIVersions.Has "tests.knavtool.example/v1/Gadget" | quote }}
  other: {{ .Capabilities.APIVersions.Has "tests.knavtool.example/v1/Widget" | quote }}
  cluster: {{ .Capabilities.APIVersions.Has "monitoring.example/v1" | quote }}
  kind: {{ .Capabilities.APIVersions.Has "monitoring.example/v1/Rule" | quote }}
  nobody: {{ .Capabilities.APIVersions.Has "nobody.example/v1" | quote }}
  version: {{ .Capabilities.KubeVersion.Version | quote }}
"""


def component(name: str) -> Component:
    face = ChartFace(repository="https://charts.example", name=name, version="1.0.0", namespace=name)
    return Component(name=name, title=name, description="Made by a test.", version="1.0.0", chart=face)


@pytest.mark.cluster
async def test_charts_are_told_what_the_cluster_will_serve(tmp_path: Path) -> None:
    asking = write_chart(tmp_path / "asking", crds=(definition("Gadget", "v1"),))
    (asking / "templates" / "told.yaml").write_text(ASKING)
    other = write_chart(tmp_path / "other", crds=(definition("Widget", "v1"),), version="3.2.1")
    served = ServedKinds(kinds=(), versions={"monitoring.example/v1": frozenset({"Rule"})})
    prepared = Preparation(
        toolchain=toolchain_from_environment(os.environ),
        helm=Helm(program("helm")),
        local={"asking": asking, "other": other},
        options=(),
        kube_version="v1.31.7",
        steps=Steps(ignore),
        api_versions=tuple(api_versions(served)),
    )
    first, second = await prepared.components([component("asking"), component("other")])
    assert first.release is not None
    (told,) = first.release.objects
    assert told["data"] == {
        "own": "true",
        "other": "true",
        "cluster": "true",
        "kind": "true",
        "nobody": "false",
        "version": "v1.31.7",
    }
    assert second.version == "3.2.1"


async def test_webhooks_take_rights_to_wait_for_their_services() -> None:
    webhook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "w"},
        "webhooks": [{"clientConfig": {"service": {"namespace": "inside", "name": "s"}}}],
    }
    resource = Resource(
        "admissionregistration.k8s.io",
        "v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        namespaced=False,
    )
    target = await identify(
        Kinds(Memory([resource])),
        Installation(name="w", version="1.0.0", objects=ManifestSet.ordered([webhook])),
    )
    wanted = {(right.verb, right.object) for right in rights.of(target, repair=False)}
    name = "validatingwebhookconfigurations.admissionregistration.k8s.io"
    slices = "endpointslices.discovery.k8s.io in namespace inside"
    assert wanted >= {(verb, what) for verb in ("list", "watch") for what in (name, slices)}
    assert ("create", name) in wanted
    assert ("get", "namespaces") in wanted
    assert not any(verb == "delete" for verb, _ in wanted)
