"""Templates as people have them, on a real control plane."""

from __future__ import annotations

from typing import Any

import pytest

from knavtool.errors import ExitCode
from knavtool.kube.resource import CONFIG_MAPS
from support.run_cluster import RunCluster
from support.workflows import task, write

pytestmark = pytest.mark.cluster

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  namespace: {{.namespace}}\n"
NAMED = HEAD + "  name: {{._NAME_}}"


def submitted(run_cluster: RunCluster, template: str, check: int = 0, **given: Any) -> str:
    """Run one template in the test's namespace, checked with `data: {x: "1"}`; what it said."""
    namespaces = [{"name": run_cluster.namespace, "op": "create"}]
    params = {} if given.get("raw") else {"params": {"namespace": run_cluster.namespace, "service": False}}
    path = write(
        run_cluster.directory,
        task("Configure", timeout="60s", namespaces=namespaces),
        task("RegisterObj", "register", template="job.yml", **given),
        task("SubmitObj", "objects", refTaskId="register", **params),
        task("CheckObj", "check", refTaskId="objects", state={"data": {"x": "1"}}, timeout="10s"),
        template=template.replace("NAMESPACE", run_cluster.namespace),
    )
    return run_cluster.run("run", path, check=check).stderr


def names(run_cluster: RunCluster) -> list[str]:
    """The config maps of the test's namespace."""
    found = run_cluster.ask(lambda client: client.list(CONFIG_MAPS, namespace=run_cluster.namespace))
    return sorted({item["metadata"]["name"] for item in found} - {"kube-root-ca.crt"})


def test_what_kubectl_takes(run_cluster: RunCluster) -> None:
    template = (
        "\ufeff# Copyright of somebody\n--- # Source: a.yaml\n"
        + NAMED
        + '-a\ndata: {x: "1"}\n---\n# nothing\n---\n{{- if .service }}\n'
        + NAMED
        + "-b\n{{- end }}\n---\napiVersion: v1\nkind: List\nitems:\n"
        + "".join(
            f"- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: '{{{{._NAME_}}}}-{letter}', "
            "namespace: '{{.namespace}}'}}\n"
            for letter in "cd"
        )
    )
    submitted(run_cluster, template.replace("\n", "\r\n"), nameFormat="t{{._ENUM_}}")
    assert names(run_cluster) == ["t1-a", "t1-c", "t1-d"]


def test_a_live_object_and_a_long_generated_name(run_cluster: RunCluster) -> None:
    base = "a-name-of-more-letters-than-a-name-of-any-object-may-have-at-all-"
    live = (
        f'  generateName: {base}\n  uid: ea786112-54bf-4761-a1da-dce13ab4c265\n  generation: 4\ndata: {{x: "1"}}\n'
        "  # of a tool\nstatus: {}\n"
    )
    template = HEAD + "  creationTimestamp: '2026-10-09T08:21:21Z'\n  managedFields: []\n" + live
    submitted(run_cluster, template)
    (name,) = names(run_cluster)
    assert (name[:58], len(name)) == (base[:58], 63)


def test_what_kubectl_refuses(run_cluster: RunCluster) -> None:
    said = submitted(run_cluster, NAMED + "\n  resourceVersion: '7'\n", ExitCode.RENDER_FAILED, nameFormat="t")
    assert "job.yml:6: metadata.resourceVersion must not be set on creation" in said
    said = submitted(run_cluster, NAMED + "\ndata:\n\tx: '1'\n", ExitCode.RENDER_FAILED, nameFormat="t")
    assert "job.yml:7: does not render to YAML: a tab begins the line" in said


def test_text_that_is_not_ours_to_render(run_cluster: RunCluster) -> None:
    template = HEAD.replace("{{.namespace}}", "NAMESPACE") + "  name: t\ndata:\n  x: '1'\n  text: '{{ $now := Now }}'\n"
    said = submitted(run_cluster, template, ExitCode.RENDER_FAILED)
    assert 'job.yml:8: function "Now" not defined' in said
    assert "raw: true" in said
    submitted(run_cluster, template, raw=True)
    (found,) = [
        item
        for item in run_cluster.ask(lambda client: client.list(CONFIG_MAPS, namespace=run_cluster.namespace))
        if item["metadata"]["name"] == "t"
    ]
    assert found["data"]["text"] == "{{ $now := Now }}"
