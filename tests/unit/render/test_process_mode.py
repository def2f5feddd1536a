"""What a project's objects become when its controllers run beside the cluster."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from knavtool.errors import RenderError
from knavtool.render.manifests import ManifestSet
from knavtool.render.process_mode import (
    ApiServer,
    ProcessModeObjects,
    WebhookServer,
    render_for_process_mode,
    with_own_webhooks,
)

SERVER = WebhookServer(origin="https://127.0.0.1:9443", authority="QQ==")
KEPT = ["Namespace", "CustomResourceDefinition", "PriorityClass", "DeviceClass"]
LEFT_OUT = [
    *("APIService", "Certificate", "ClusterRole", "ClusterRoleBinding", "ConfigMap", "DaemonSet", "Deployment"),
    *("FlowSchema", "Issuer", "Job", "NetworkPolicy", "PodDisruptionBudget", "PodMonitor"),
    *("PriorityLevelConfiguration", "PrometheusRule", "Role", "RoleBinding", "Secret", "Service", "ServiceAccount"),
    *("ServiceMonitor", "StatefulSet"),
]


def an(kind: str, name: str = "x", **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **more}


def hooks(kind: str, *names: str) -> dict[str, Any]:
    service = {"name": "s", "namespace": "n", "port": 443}
    return an(
        kind,
        webhooks=[
            {
                "name": name,
                "clientConfig": {"service": {**service, "path": f"/{name}"}, "caBundle": "Cg=="},
                "rules": [],
            }
            for name in names
        ],
    )


def definition(**conversion: Any) -> dict[str, Any]:
    return an("CustomResourceDefinition", spec={"group": "g", **({"conversion": conversion} if conversion else {})})


CONVERTED = definition(
    strategy="Webhook",
    webhook={
        "clientConfig": {"service": {"name": "s", "namespace": "n", "path": "/convert"}, "caBundle": "Cg=="},
        "conversionReviewVersions": ["v1"],
    },
)


@pytest.mark.parametrize("kind", KEPT)
def test_what_the_cluster_needs_is_kept(kind: str) -> None:
    one = an(kind, spec={})
    made = render_for_process_mode(ManifestSet((one,)), server=None)
    assert list(made.objects) == [one]
    assert len(made.webhooks) == 0


@pytest.mark.parametrize("kind", LEFT_OUT)
def test_what_stands_for_the_process_is_left_out(kind: str) -> None:
    made = render_for_process_mode(ManifestSet((an(kind),)), server=None)
    assert len(made.objects) == len(made.webhooks) == 0


def test_apis_lead_to_the_process_and_come_when_it_listens() -> None:
    served = [
        an(
            "APIService",
            f"{version}.x",
            spec={
                "group": "x",
                "version": version,
                "insecureSkipTLSVerify": True,
                "service": {"name": "s", "namespace": "n"},
            },
        )
        for version in ("v1", "v2")
    ]
    theirs = {**an("Service", "s", spec={"ports": [{"port": 443}]}), "metadata": {"name": "s", "namespace": "n"}}
    apis = ApiServer(address="127.0.0.1", port=8443, authority="QQ==")
    made = render_for_process_mode(ManifestSet((theirs, *served)), server=None, apis=apis)
    (service,) = made.objects
    assert service["metadata"] == {"name": "s", "namespace": "n"}
    assert service["spec"] == {"type": "ExternalName", "externalName": "127.0.0.1"}
    assert [one["metadata"]["name"] for one in made.webhooks] == ["v1.x", "v2.x"]
    for one in made.webhooks:
        assert one["spec"]["service"] == {"name": "s", "namespace": "n", "port": 8443}
        assert one["spec"]["caBundle"] == "QQ=="
        # The server has a certificate of that authority.
        assert "insecureSkipTLSVerify" not in one["spec"]
    # What was read is used again and must not change.
    assert served[0]["spec"]["service"] == {"name": "s", "namespace": "n"}


@pytest.mark.parametrize("kind", ["Pod", "MutatingAdmissionPolicy", "ReplicaSet", "Queue", "deployment"])
def test_a_kind_in_no_table_is_an_error(kind: str) -> None:
    with pytest.raises(RenderError, match=f"{kind} odd: unsupported kind in process mode") as raised:
        render_for_process_mode(ManifestSet((an("Namespace"), an(kind, "odd"))), server=SERVER)
    assert raised.value.hint == f"list {kind} under keepKinds or dropKinds of the component's process face"


def test_a_record_decides_about_kinds_of_its_project() -> None:
    manifests = ManifestSet((an("Queue"), an("Topology"), an("ConfigMap"), an("Namespace")))
    kinds = {"keep_kinds": ["Queue", "ConfigMap"], "drop_kinds": ["Topology", "Namespace"]}
    made = render_for_process_mode(manifests, server=None, **kinds)
    assert sorted(one["kind"] for one in made.objects) == ["ConfigMap", "Queue"]


@pytest.mark.parametrize("kind", ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"])
def test_webhooks_lead_to_the_server(kind: str) -> None:
    before = hooks(kind, "a.io", "b.io")
    read = copy.deepcopy(before)
    made = render_for_process_mode(ManifestSet((before,)), server=SERVER)
    assert len(made.objects) == 0
    (after,) = made.webhooks
    assert [hook["clientConfig"] for hook in after["webhooks"]] == [
        {"url": "https://127.0.0.1:9443/a.io", "caBundle": "QQ=="},
        {"url": "https://127.0.0.1:9443/b.io", "caBundle": "QQ=="},
    ]
    assert [hook["rules"] for hook in after["webhooks"]] == [[], []]
    # What was read is used again and must not change.
    assert before == read


def test_a_service_without_a_path_has_the_root() -> None:
    one = hooks("MutatingWebhookConfiguration", "a.io")
    del one["webhooks"][0]["clientConfig"]["service"]["path"]
    made = render_for_process_mode(ManifestSet((one,)), server=SERVER)
    assert next(iter(made.webhooks))["webhooks"][0]["clientConfig"]["url"] == "https://127.0.0.1:9443/"


def test_only_chosen_webhooks_are_kept() -> None:
    manifests = ManifestSet(
        (hooks("MutatingWebhookConfiguration", "a.io", "b.io"), hooks("ValidatingWebhookConfiguration", "c.io"))
    )
    made = render_for_process_mode(manifests, server=SERVER, keep={"b.io": ()})
    assert [[hook["name"] for hook in one["webhooks"]] for one in made.webhooks] == [["b.io"]]
    # Nobody has to serve what is not kept.
    assert len(render_for_process_mode(manifests, server=None, keep={}).webhooks) == 0


def test_a_chosen_webhook_can_be_asked_less_often() -> None:
    first, second = {"name": "first", "expression": "true"}, {"name": "second", "expression": "has(object.spec)"}
    given = hooks("MutatingWebhookConfiguration", "a.io", "b.io")
    given["webhooks"][0]["matchConditions"] = [first]
    (made,) = render_for_process_mode(
        ManifestSet((given,)), server=SERVER, keep={"a.io": (second,), "b.io": ()}
    ).webhooks
    assert [hook.get("matchConditions") for hook in made["webhooks"]] == [[first, second], None]
    assert given["webhooks"][0]["matchConditions"] == [first]


def test_conversions_lead_to_the_server() -> None:
    before = copy.deepcopy(CONVERTED)
    (after,) = render_for_process_mode(ManifestSet((CONVERTED,)), server=SERVER).objects
    assert after["spec"] == {
        "group": "g",
        "conversion": {
            "strategy": "Webhook",
            "webhook": {
                "clientConfig": {"url": "https://127.0.0.1:9443/convert", "caBundle": "QQ=="},
                "conversionReviewVersions": ["v1"],
            },
        },
    }
    assert before == CONVERTED


@pytest.mark.parametrize("one", [definition(), definition(strategy="None")])
def test_a_definition_without_a_conversion_stays_as_it_is(one: dict[str, Any]) -> None:
    assert list(render_for_process_mode(ManifestSet((one,)), server=None).objects) == [one]


@pytest.mark.parametrize(
    "one", [hooks("ValidatingWebhookConfiguration", "a.io"), CONVERTED], ids=["webhook", "conversion"]
)
def test_somebody_has_to_serve_them(one: dict[str, Any]) -> None:
    with pytest.raises(RenderError, match=f"{one['kind']} x needs a server of webhooks, and the component names none"):
        render_for_process_mode(ManifestSet((one,)), server=None)


def test_webhooks_of_overrides_lead_to_the_process_and_are_not_among_the_objects() -> None:
    theirs = an("MutatingWebhookConfiguration", webhooks=[{"name": "theirs", "clientConfig": {"url": "https://x"}}])
    ours = hooks("ValidatingWebhookConfiguration", "ours")
    other = an("ConfigMap")
    rendered = ProcessModeObjects(objects=ManifestSet((other, ours)), webhooks=ManifestSet((theirs,)))
    made = with_own_webhooks(rendered, SERVER)
    assert list(made.objects) == [other]
    (first, second) = made.webhooks
    assert first == theirs
    led = {"url": "https://127.0.0.1:9443/ours", "caBundle": "QQ=="}
    assert second == {**ours, "webhooks": [{"name": "ours", "clientConfig": led, "rules": []}]}


def test_webhooks_of_overrides_need_a_server() -> None:
    objects = ManifestSet((hooks("MutatingWebhookConfiguration", "ours"),))
    with pytest.raises(RenderError, match="the component names none"):
        with_own_webhooks(ProcessModeObjects(objects=objects, webhooks=ManifestSet()), None)
