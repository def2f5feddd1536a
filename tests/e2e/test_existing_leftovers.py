"""What `cluster down` leaves in a cluster that exists: everything that is not provably what `up` made."""

from __future__ import annotations

import base64
import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from knavtool.kube.client import Client
from knavtool.kube.resource import CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, DEPLOYMENTS, NAMESPACES, SECRETS, Resource
from support.chart_repository import REAL, definition, deployment
from support.existing import Existing
from support.programs import program
from support.proxy import Refuse, proxy

pytestmark = pytest.mark.cluster

GROUP = "tests.knavtool.example"
GADGETS = Resource(GROUP, "v1", "gadgets", "Gadget", namespaced=True)
READY = deployment("controller", affinity=REAL)
NOTES = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "notes"}}


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def widget(*more: dict[str, Any], name: str = "widget") -> tuple[dict[str, Any], ...]:
    """A namespace of its own and a controller."""
    controller = deployment(name)
    return (namespace(name), {**controller, "metadata": {**controller["metadata"], "namespace": name}}, *more)


def written_by(manager: str, resource: Resource, body: dict[str, Any], inside: str) -> Callable[[Client], Any]:
    """Create an object in the name of another program, as a user of `kubectl` or a controller does."""

    async def create(client: Client) -> None:
        query = {"fieldManager": manager}
        data = json.dumps(body).encode()
        await client.transport.request("POST", resource.path(inside), "create", body=data, query=query)

    return create


def test_definitions_that_are_left_are_named_with_the_command_that_removes_them(existing: Existing) -> None:
    """Of one chart, which says that Helm keeps it, and of one component, because it has objects of others."""
    kept = definition("Gadget", "v1")
    kept["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    existing.chart(READY, kept, crds=(definition("Sprocket", "v1"),))
    existing.manifest("widget", *widget(definition("Widget", "v1")))
    existing.up("--with", "gadget,widget")
    widgets = Resource(GROUP, "v1", "widgets", "Widget", namespaced=True)
    mine = {"apiVersion": f"{GROUP}/v1", "kind": "Widget", "metadata": {"name": "mine"}}
    existing.create(widgets, mine, "default")
    shown = existing.down().stdout
    command = shown.splitlines()[-1].strip()
    context = f"knavtool-{existing.plane.name}"
    assert command == f"kubectl --context {context} delete crd gadgets.{GROUP} widgets.{GROUP}"
    assert existing.names(CUSTOM_RESOURCE_DEFINITIONS).count(f"sprockets.{GROUP}") == 0
    words = [program("kubectl"), *shlex.split(command)[1:]]
    subprocess.run(words, env={**os.environ, **existing.environment}, check=True, capture_output=True)
    assert not {f"gadgets.{GROUP}", f"widgets.{GROUP}"} & set(existing.names(CUSTOM_RESOURCE_DEFINITIONS))
    assert "delete crd" not in existing.down().stdout


@pytest.mark.parametrize("manager", ["controller", "kubectl", "helm", "kube-controller-manager"])
def test_who_wrote_an_object_does_not_make_it_ours(existing: Existing, manager: str) -> None:
    """`controller` is the name of the program of the component itself."""
    existing.manifest("widget", *widget(definition("Gadget", "v1")))
    existing.up("--with", "widget")
    mine = {"apiVersion": f"{GROUP}/v1", "kind": "Gadget", "metadata": {"name": "mine"}}
    existing.ask(written_by(manager, GADGETS, mine, "default"))
    existing.ask(written_by(manager, CONFIG_MAPS, NOTES, "widget"))
    done = existing.down()
    assert f"kept CustomResourceDefinition gadgets.{GROUP}, because there are Gadget default/mine" in done.stdout
    assert "kept Namespace widget, because in it are ConfigMap widget/notes" in done.stdout
    assert existing.names(GADGETS, "default") == ["mine"]


def test_without_aggregated_discovery_nothing_of_others_goes(existing: Existing, tmp_path: Path) -> None:
    existing.manifest("widget", *widget())
    existing.manifest("gadget", *widget(name="gadget"))
    existing.up("--with", "widget,gadget")
    existing.create(CONFIG_MAPS, NOTES, "widget")
    with proxy(existing.plane, tmp_path / "older") as older:
        older.aggregated = False
        done = existing.down("--kubeconfig", older.kubeconfig)
    assert "kept Namespace widget, because in it are ConfigMap widget/notes" in done.stdout
    left = existing.names(NAMESPACES)
    assert "widget" in left
    assert "gadget" not in left


@pytest.mark.parametrize("what", ["an API that is down", "a kind that may not be listed"])
def test_where_not_all_can_be_listed_nothing_is_deleted(existing: Existing, tmp_path: Path, what: str) -> None:
    existing.manifest("widget", *widget())
    existing.manifest("gadget", {**NOTES, "metadata": {"name": "gadget", "namespace": "default"}})
    existing.up("--with", "widget,gadget")
    existing.create(CONFIG_MAPS, NOTES, "widget")
    with proxy(existing.plane, tmp_path / "broken") as broken:
        broken.aggregated = False
        if what == "an API that is down":
            broken.harm("GET", "/apis/autoscaling/v2", *[Refuse(code=503)] * 9)
            reason = "the API autoscaling/v2 does not answer"
        else:
            broken.harm("GET", "/namespaces/widget/limitranges", *[Refuse(code=403, reason="Forbidden")] * 9)
            reason = "limitranges: list limitranges: refused by the test"
        done = existing.down("--kubeconfig", broken.kubeconfig, check=5)
        assert not broken.count("DELETE", "/namespaces/widget.*")
    assert (
        f"widget: Namespace widget cannot be listed completely, so that nothing in it is deleted: {reason}"
        in done.stderr
    )
    assert existing.names(DEPLOYMENTS, "widget") == ["widget"]
    assert "notes" in existing.names(CONFIG_MAPS, "widget")
    assert "gadget" not in existing.names(CONFIG_MAPS, "default"), "the others are removed"
    existing.ask(lambda client: client.delete(CONFIG_MAPS, "notes", namespace="widget"))
    existing.down()
    assert "widget" not in existing.names(NAMESPACES)


def test_what_somebody_made_anew_is_kept(existing: Existing) -> None:
    existing.manifest("widget", *widget())
    existing.up("--with", "widget")
    labels = existing.get(DEPLOYMENTS, "widget", "widget")["metadata"]["labels"]
    assert labels["knavtool/installed"] == "widget"
    existing.ask(lambda client: client.delete(DEPLOYMENTS, "widget", namespace="widget"))
    existing.create(DEPLOYMENTS, deployment("widget"), "widget")
    done = existing.down()
    assert "kept Deployment widget/widget, because it has no label knavtool/installed" in done.stdout
    assert "kept Namespace widget, because in it are Deployment widget/widget" in done.stdout
    assert existing.names(DEPLOYMENTS, "widget") == ["widget"]


def test_what_an_earlier_version_installed_is_removed(existing: Existing) -> None:
    existing.manifest("widget", *widget(definition("Gadget", "v1")))
    existing.up("--with", "widget")

    async def age(client: Client) -> None:
        """Make it what an earlier version left: a record with less in it, and no labels."""
        for resource, name, inside in (
            (DEPLOYMENTS, "widget", "widget"),
            (CUSTOM_RESOURCE_DEFINITIONS, f"gadgets.{GROUP}", None),
            (NAMESPACES, "widget", None),
            (NAMESPACES, "knavtool", None),
        ):
            body = {"metadata": {"labels": {"knavtool/installed": None}}}
            await client.patch(resource, name, body, namespace=inside)
        found = await client.get(CONFIG_MAPS, "component-widget", namespace="knavtool")
        record = json.loads(found["data"]["record.json"])
        record = {key: value for key, value in record.items() if key not in ("unlabelled", "makes")}
        text = json.dumps({**record, "programs": ["controller"]})
        await client.patch(CONFIG_MAPS, "component-widget", {"data": {"record.json": text}}, namespace="knavtool")

    existing.ask(age)
    assert "healthy" in existing.cli("status").stdout
    done = existing.down()
    assert "2 components removed" in done.stdout
    assert "kept Namespace knavtool, because it was there before or an earlier version made it" in done.stdout
    assert "widget" not in existing.names(NAMESPACES)
    assert f"gadgets.{GROUP}" not in existing.names(CUSTOM_RESOURCE_DEFINITIONS)


def test_the_namespace_of_the_records_may_hold_more(existing: Existing) -> None:
    existing.up()
    existing.create(DEPLOYMENTS, deployment("server"), "knavtool")
    done = existing.down()
    assert "kept Namespace knavtool, because in it are Deployment knavtool/server" in done.stdout
    assert existing.names(DEPLOYMENTS, "knavtool") == ["server"]


def test_a_release_that_helm_keeps_in_config_maps_is_removed(existing: Existing) -> None:
    """As an earlier version installed it where HELM_DRIVER was set."""
    existing.chart(deployment("controller", affinity=REAL))
    existing.up("--with", "gadget")

    async def move(client: Client) -> None:
        for one in await client.list(SECRETS, namespace="gadget", label_selector="owner=helm"):
            metadata = {key: one["metadata"][key] for key in ("name", "labels")}
            data = {"release": base64.b64decode(one["data"]["release"]).decode()}
            await client.create(CONFIG_MAPS, {"metadata": metadata, "data": data}, namespace="gadget")
            await client.delete(SECRETS, metadata["name"], namespace="gadget")

    existing.ask(move)
    assert existing.down().stdout == "2 components removed\n"
    assert "gadget" not in existing.names(NAMESPACES)


def test_a_release_that_helm_does_not_know_is_told(existing: Existing) -> None:
    existing.chart(deployment("controller", affinity=REAL))
    existing.up("--with", "gadget")
    existing.ask(
        lambda client: client.delete_collection(SECRETS, namespace="gadget", label_selector="owner=helm,name=gadget")
    )
    done = existing.down(check=5)
    assert "Helm keeps no release gadget/gadget in this cluster, but Deployment gadget/controller belong" in done.stderr
    assert existing.names(DEPLOYMENTS, "gadget") == ["controller"]
