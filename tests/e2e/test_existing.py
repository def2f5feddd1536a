"""`knavtool cluster ... --engine existing`, with a local control plane as the cluster that exists."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from typing import Any

import pytest

from knavtool.kube.client import Client
from knavtool.kube.resource import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    Resource,
)
from knavtool.kube.waiting import until
from support import processes
from support.chart_repository import REAL, definition, deployment, hook, packed, publish_in_registry, write_chart
from support.cli import SCRIPT
from support.existing import NODE, Existing

pytestmark = pytest.mark.cluster

GROUP = "tests.knavtool.example"
GADGETS = Resource(GROUP, "v1", "gadgets", "Gadget", namespaced=True)
READY = deployment("controller", affinity=REAL)


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def in_namespace(item: dict[str, Any], name: str) -> dict[str, Any]:
    return {**item, "metadata": {**item["metadata"], "namespace": name}}


def widget(*more: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The objects of a component with a namespace of its own and a controller."""
    return (namespace("widget"), in_namespace(deployment("widget"), "widget"), *more)


def test_a_chart_is_installed_once_and_removed_whole(existing: Existing) -> None:
    existing.chart(READY, crds=(definition("Gadget", "v1"),))
    done = existing.up("--with", "gadget")
    assert "gadget" in done.stderr
    assert existing.revisions() == [("1", "deployed")]
    assert existing.get(DEPLOYMENTS, "controller", "gadget")["status"]["availableReplicas"] == 1
    assert existing.names(CUSTOM_RESOURCE_DEFINITIONS).count(f"gadgets.{GROUP}") == 1
    existing.cli("status")

    existing.up("--with", "gadget")
    assert existing.revisions() == [("1", "deployed")], "nothing changed, so that Helm had nothing to do"

    done = existing.down()
    assert done.stdout == "2 components removed\n"
    left = existing.names(NAMESPACES)
    assert not {"gadget", "knavtool"} & set(left)
    assert f"gadgets.{GROUP}" not in existing.names(CUSTOM_RESOURCE_DEFINITIONS)
    assert existing.down().stdout == "nothing of knavtool is installed in this cluster\n"


def test_the_version_shown_is_that_of_the_chart_that_was_given(existing: Existing) -> None:
    existing.chart(READY)
    directory = write_chart(existing.directory / "given", READY, version="2.1.0")
    in_registry = publish_in_registry(existing.host, packed(directory), version="2.1.0")
    planned = existing.up("--with", "gadget", "--chart", f"gadget={directory}", "--dry-run")
    assert "install gadget 2.1.0 as Helm release gadget/gadget\n" in planned.stdout
    done = existing.up("--with", "gadget", "--chart", f"gadget={in_registry}")
    assert "\n ok gadget (2.1.0)" in re.sub(" +", " ", done.stderr)
    (row,) = [one for one in json.loads(existing.cli("status", "-o", "json").stdout) if one["component"] == "gadget"]
    assert row["version"] == "2.1.0"
    assert existing.revisions() == [("1", "deployed")]


def test_objects_are_applied_off_virtual_nodes_and_removed(existing: Existing) -> None:
    existing.manifest("widget", *widget())
    existing.up("--with", "widget")
    pod = existing.get(DEPLOYMENTS, "widget", "widget")["spec"]["template"]["spec"]
    assert pod["affinity"] == REAL
    existing.ask(lambda client: client.delete(DEPLOYMENTS, "widget", namespace="widget"))
    assert "missing" in existing.cli("status", check=4).stdout
    existing.up("--with", "widget")
    assert "missing" not in existing.cli("status").stdout
    existing.down()
    assert "widget" not in existing.names(NAMESPACES)


def test_a_failing_hook_fails_its_component_alone(existing: Existing) -> None:
    existing.manifest("widget", *widget())
    existing.chart(READY, hook("prepare", "pre-install", activeDeadlineSeconds=1))
    done = existing.up("--with", "gadget,widget", check=5)
    assert "gadget: Helm could not install gadget" in done.stderr
    assert "pre-install" in done.stderr
    assert existing.get(DEPLOYMENTS, "widget", "widget")["status"]["availableReplicas"] == 1
    assert existing.revisions() == [("1", "failed")]

    existing.up("--with", "gadget,widget", "--chart", f"gadget={write_chart(existing.directory / 'fixed', READY)}")
    assert existing.revisions() == [("1", "deployed")], "a release that never worked is installed, not upgraded"


def test_an_archive_with_the_wrong_checksum_is_refused(existing: Existing) -> None:
    received = existing.chart(READY, digest="0" * 64)
    done = existing.up("--with", "gadget", check=4)
    assert "wrong checksum" in done.stderr
    assert "expected sha256 " + "0" * 64 in done.stderr
    assert f"received sha256 {received}" in done.stderr
    assert "knavtool" not in existing.names(NAMESPACES), "nothing was changed"


def test_a_mirror_that_is_down_is_told(existing: Existing) -> None:
    existing.chart(READY)
    done = existing.up("--with", "gadget", env={"KNAVTOOL_MIRROR": "http://127.0.0.1:9"}, check=4)
    assert "cannot reach 127.0.0.1:9" in done.stderr
    assert "knavtool" not in existing.names(NAMESPACES)


def test_what_is_not_ready_in_time_is_told_with_what_the_cluster_says(existing: Existing) -> None:
    existing.chart(deployment("controller", affinity=REAL, nodeSelector={"no": "such"}))
    existing.manifest("widget", *widget())
    done = existing.up("--with", "gadget,widget", "--timeout", "8s", check=5)
    assert "gadget:" in done.stderr
    assert "didn't match Pod's node affinity" in done.stderr
    assert "--timeout" in done.stderr
    assert existing.revisions() == [("1", "failed")]
    assert existing.get(DEPLOYMENTS, "widget", "widget")["status"]["availableReplicas"] == 1
    assert "unhealthy" in existing.cli("status", check=4).stdout
    existing.down()
    assert "gadget" not in existing.names(NAMESPACES)


def pending(existing: Existing, *args: str) -> subprocess.Popen[bytes]:
    """A `cluster up` whose Helm waits for a hook."""
    command = [SCRIPT, "cluster", "up", "--engine", "existing", "--no-prometheus", "--yes", "--with", "gadget", *args]
    process = subprocess.Popen(
        [str(word) for word in command],
        env={**os.environ, **existing.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    async def wait(client: Client) -> None:
        await until(
            client,
            PODS,
            lambda seen: any(pod["metadata"]["name"].startswith("slow-") for pod in seen.values()) or None,
            timeout=60,
            namespace="gadget",
        )

    existing.ask(wait)
    return process


def helms(existing: Existing) -> list[int]:
    """The processes of Helm that work for the cluster."""
    found = processes.carrying("XDG_CONFIG_HOME", str(existing.directory / "config"))
    return [number for number, command in found.items() if "helm" in command.split()[0]]


def test_a_release_that_a_kill_left_half_way_is_recovered(existing: Existing) -> None:
    existing.chart(READY, hook("slow", "pre-install"))
    process = pending(existing)
    process.kill()
    process.wait()
    assert existing.revisions() == [("1", "pending-install")]
    (helm,) = helms(existing)
    fixed = f"gadget={write_chart(existing.directory / 'fixed', READY)}"
    done = existing.up("--with", "gadget", "--chart", fixed, check=5)
    assert f"the Helm that an earlier knavtool started works on it: process {helm}" in done.stderr
    assert existing.revisions() == [("1", "pending-install")], "it may still work"

    os.kill(helm, signal.SIGKILL)
    processes.survivors([helm], within=10)
    done = existing.up("--with", "gadget", "--chart", fixed)
    assert "release gadget was pending-install" in done.stderr
    assert existing.revisions() == [("1", "deployed")]


def test_an_upgrade_that_a_kill_left_half_way_is_rolled_back_first(existing: Existing) -> None:
    existing.chart(READY)
    existing.up("--with", "gadget")
    slow = write_chart(existing.directory / "slow", READY, hook("slow", "pre-upgrade"))
    process = pending(existing, "--chart", f"gadget={slow}")
    (helm,) = helms(existing)
    process.kill()
    process.wait()
    os.kill(helm, signal.SIGKILL)
    processes.survivors([helm], within=10)
    assert existing.revisions()[-1] == ("2", "pending-upgrade")
    done = existing.up("--with", "gadget")
    assert "rolled back to revision 1" in done.stderr
    assert existing.revisions()[-1][1] == "deployed"


def test_a_release_in_the_hands_of_another_helm_is_not_touched(existing: Existing) -> None:
    chart = write_chart(existing.directory / "theirs", READY, hook("slow", "pre-install"))
    existing.chart(READY)
    existing.helm_install(chart)
    done = existing.up("--with", "gadget")
    assert "gadget is not touched: others installed it" in done.stderr
    done = existing.up("--with", "gadget", "--take-ownership", check=5)
    assert "release gadget/gadget is pending-install, and another Helm may be working on it" in done.stderr
    assert "helm uninstall gadget --namespace gadget" in done.stderr
    assert existing.revisions() == [("1", "pending-install")]


def test_what_somebody_else_installed_is_left_alone_unless_it_is_taken(existing: Existing) -> None:
    existing.create(NAMESPACES, namespace("widget"))
    existing.create(DEPLOYMENTS, deployment("widget"), "widget")
    existing.manifest("widget", *widget())
    done = existing.up("--with", "widget")
    assert "widget is not touched: others installed it (Deployment widget/widget)" in done.stderr
    assert "affinity" not in existing.get(DEPLOYMENTS, "widget", "widget")["spec"]["template"]["spec"]
    existing.down()
    assert existing.names(DEPLOYMENTS, "widget") == ["widget"]

    existing.up("--with", "widget", "--take-ownership")
    assert "affinity" in existing.get(DEPLOYMENTS, "widget", "widget")["spec"]["template"]["spec"]
    existing.down()
    assert existing.names(DEPLOYMENTS, "widget") == []
    assert "widget" in existing.names(NAMESPACES), "a namespace that was there is not ours"


def test_definitions_and_namespaces_that_others_use_are_kept(existing: Existing) -> None:
    existing.manifest("widget", *widget(definition("Gadget", "v1")))
    existing.up("--with", "widget")
    mine = {"apiVersion": f"{GROUP}/v1", "kind": "Gadget", "metadata": {"name": "mine"}}
    existing.create(GADGETS, mine, "default")
    existing.create(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "notes"}}, "widget")
    done = existing.down()
    assert f"kept CustomResourceDefinition gadgets.{GROUP}, because there are Gadget default/mine" in done.stdout
    assert "kept Namespace widget, because in it are ConfigMap widget/notes" in done.stdout
    assert existing.names(DEPLOYMENTS, "widget") == []
    assert existing.names(GADGETS, "default") == ["mine"]

    existing.up("--with", "widget")  # what was kept is not taken for somebody else's
    existing.ask(lambda client: client.delete(GADGETS, "mine", namespace="default"))
    assert "kept Custom" not in existing.down().stdout
    assert f"gadgets.{GROUP}" not in existing.names(CUSTOM_RESOURCE_DEFINITIONS)


def test_a_definition_of_another_version_stops_everything(existing: Existing) -> None:
    existing.create(CUSTOM_RESOURCE_DEFINITIONS, definition("Gadget", "v1alpha1"))
    existing.manifest("widget", *widget(definition("Gadget", "v1")))
    done = existing.up("--with", "widget", "--take-ownership", check=5)
    assert f"CustomResourceDefinition gadgets.{GROUP} of another version is there: it has v1alpha1" in done.stderr
    assert "knavtool" not in existing.names(NAMESPACES)


def test_a_cluster_with_real_nodes_needs_consent_the_first_time(existing: Existing) -> None:
    existing.manifest("widget", *widget())
    done = existing.cli("up", "--no-prometheus", "--with", "widget", check=2)
    assert f"context {existing.plane.context} ({existing.plane.server}) has 1 real nodes" in done.stderr
    assert "knavtool" not in existing.names(NAMESPACES)
    existing.up("--with", "widget")
    existing.cli("up", "--no-prometheus", "--with", "widget")


def test_a_dry_run_changes_nothing(existing: Existing) -> None:
    existing.manifest("widget", *widget())
    done = existing.cli("up", "--no-prometheus", "--with", "widget", "--dry-run")
    assert "  + Deployment widget/widget" in done.stdout
    assert "knavtool" not in existing.names(NAMESPACES)


def test_without_rights_nothing_is_sent(existing: Existing) -> None:
    existing.manifest("widget", *widget())
    with existing.stranger() as kubeconfig:
        done = existing.up("--with", "widget", "--kubeconfig", kubeconfig, check=5)
    assert "this account may not" in done.stderr
    assert "knavtool" not in existing.names(NAMESPACES)


REFUSED = re.compile(r"this account may not (.+?) ([a-z0-9.-]+)(?: in namespace \S+| in all namespaces)?")


def test_the_rights_that_are_asked_for_are_enough(existing: Existing) -> None:
    """Whoever is given what the refusal lists can install: with a chart, its values and hook, definitions, a repair."""
    existing.manifest("widget", *widget(definition("Gadget", "v1")))
    before = {"name": "before", "annotations": {"helm.sh/hook": "pre-install,pre-upgrade"}}
    existing.chart(READY, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": before})
    existing.node("virtual-0", type="kwok")
    wanted = ("--with", "gadget,widget", "--repair")
    values = existing.directory / "values.yaml"
    values.write_text("size: 1\n")
    with existing.stranger() as kubeconfig:
        first = (*wanted, "--values", f"gadget={values}", "--kubeconfig", kubeconfig)
        done = existing.up(*first, check=5)
        rights = []
        for line in done.stderr.splitlines():
            if found := REFUSED.fullmatch(line.removeprefix("error: ")):
                verbs, what = found.groups()
                rights += [(verb, what) for verb in re.split(", | or ", verbs)]
        assert ("list", "pods") in rights
        assert ("create", "namespaces") in rights
        assert "knavtool" not in existing.names(NAMESPACES)
        existing.grant(rights)
        existing.up(*first)
        slow = deployment("controller", affinity=REAL, terminationGracePeriodSeconds=5)
        other = write_chart(existing.directory / "other", slow)
        existing.up(*wanted, "--chart", f"gadget={other}", "--kubeconfig", kubeconfig)
    assert existing.revisions() == [("1", "superseded"), ("2", "deployed")]


def test_pods_on_virtual_nodes_are_told_and_moved(existing: Existing) -> None:
    existing.create(NAMESPACES, namespace("widget"))
    existing.node("virtual-0", type="kwok")
    existing.create(DEPLOYMENTS, deployment("widget", nodeSelector={"type": "kwok"}), "widget")
    existing.manifest("widget", *widget())

    async def placed(client: Client) -> None:
        await until(
            client,
            PODS,
            lambda seen: any(pod["spec"].get("nodeName") for pod in seen.values()) or None,
            timeout=30,
            namespace="widget",
        )

    existing.ask(placed)
    done = existing.up("--with", "widget")
    assert "of widget sits on the virtual node virtual-0" in done.stderr
    assert "--repair" in done.stderr

    async def anywhere(client: Client) -> None:
        await client.patch(
            DEPLOYMENTS, "widget", {"spec": {"template": {"spec": {"nodeSelector": None}}}}, namespace="widget"
        )

    existing.ask(anywhere)
    existing.up("--with", "widget", "--repair")

    async def nodes(client: Client) -> set[str]:
        pods = await client.list(PODS, namespace="widget")
        return {pod["spec"].get("nodeName") for pod in pods if "deletionTimestamp" not in pod["metadata"]}

    assert existing.ask(nodes) == {NODE}


def test_a_component_of_the_catalogue_is_installed_and_removed(existing: Existing) -> None:
    existing.up("--with", "mpi-operator")
    pod = existing.get(DEPLOYMENTS, "mpi-operator", "mpi-operator")["spec"]["template"]["spec"]
    assert pod["affinity"] == REAL
    assert "mpijobs.kubeflow.org" in existing.names(CUSTOM_RESOURCE_DEFINITIONS)
    existing.down()
    assert "mpijobs.kubeflow.org" not in existing.names(CUSTOM_RESOURCE_DEFINITIONS)
    assert "mpi-operator" not in existing.names(NAMESPACES)


def test_what_plays_the_nodes_here_already_is_left_alone(existing: Existing) -> None:
    (existing.records / "kwok.yaml").unlink()
    done = existing.up()
    assert "kwok is not touched: others installed it (CustomResourceDefinition" in done.stderr
    assert "stages is not touched" in done.stderr
    assert existing.down().stdout == "nothing of knavtool is installed in this cluster\n"
