"""`knavtool cluster render`, and secrets of users, which are in no file that it writes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from knavtool.kube.resource import CONFIG_MAPS, NAMESPACES
from support.chart_repository import write_chart
from support.cli import run_cli
from support.existing import Existing
from support.programs import program

pytestmark = pytest.mark.cluster

SECRET = 'open: "sesame" \\ #1'
CREDENTIALS = {"RUNAI_CONTROL_PLANE_URL": "https://control-plane.example", "RUNAI_CLIENT_SECRET": SECRET}
SHOWN = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "shown"},
    "data": {"url": "{{ .Values.controlPlane.url }}", "uid": "{{ .Values.cluster.uid }}"},
}


def render(existing: Existing, *args: str | Path, **more: Any) -> CompletedProcess[str]:
    """`cluster render` for a user whose clusters cannot be reached."""
    environment = {**existing.environment, **CREDENTIALS, "KUBECONFIG": "/nonexistent/kubeconfig"}
    return run_cli("cluster", "render", "--no-prometheus", *args, env=environment, **more)


def kubectl(existing: Existing, *args: str | Path) -> str:
    command = [str(word) for word in (program("kubectl"), *args)]
    done = subprocess.run(command, env=existing.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(existing: Existing, directory: Path) -> dict[str, Any]:
    """The objects of a tree as they are in the cluster, without what the server notes about them."""
    found = {}
    for item in json.loads(kubectl(existing, "get", "-k", directory, "-o", "json"))["items"]:
        item.pop("status", None)
        metadata = item["metadata"]
        del metadata["resourceVersion"]
        # The controller counts the rollouts here, after the object is made.
        (metadata.get("annotations") or {}).pop("deployment.kubernetes.io/revision", None)
        found[f"{item['kind']} {metadata['name']}"] = item
    return found


def managers(existing: Existing, directory: Path) -> set[str]:
    said = kubectl(existing, "get", "-k", directory, "-o", "json", "--show-managed-fields")
    return {entry["manager"] for item in json.loads(said)["items"] for entry in item["metadata"]["managedFields"]}


def test_up_changes_nothing_but_the_owner_of_an_applied_tree(existing: Existing, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    render(existing, "--with", "mpi-operator", "--output-dir", tree)
    directory = tree / "mpi-operator"
    try:
        kubectl(existing, "apply", "--server-side", "-k", directory)
        before = objects(existing, directory)
        assert "Deployment mpi-operator" in before
        assert "knavtool" not in managers(existing, directory)
        assert "mpi-operator is not touched" in existing.up("--with", "mpi-operator").stderr

        existing.up("--with", "mpi-operator", "--take-ownership")
        after = objects(existing, directory)
        assert after.keys() == before.keys()
        marked = {}
        for name, item in after.items():
            # What `cluster down` removes says so.
            labels = item["metadata"].setdefault("labels", {})
            marked[name] = labels.pop("knavtool/installed", "")
            if not labels:
                del item["metadata"]["labels"]
            # With the generation, which counts changes.
            assert json.dumps(item, sort_keys=True) == json.dumps(before[name], sort_keys=True)
        assert (
            marked["Deployment mpi-operator"]
            == marked["CustomResourceDefinition mpijobs.kubeflow.org"]
            == "mpi-operator"
        )
        assert "knavtool" in managers(existing, directory)
    finally:
        existing.down()
        kubectl(existing, "delete", "--ignore-not-found", "-k", directory)


def with_credentials(existing: Existing, *templates: dict[str, Any]) -> None:
    """A component of the user's whose values file has four variables, of which its record declares two."""
    existing.chart(*templates)
    record = yaml.safe_load((existing.records / "gadget.yaml").read_text())
    record["faces"]["chart"]["values"] = ["runai/values.yaml"]
    record["credentials"] = [{"variable": name, "description": f"About {name}."} for name in CREDENTIALS]
    (existing.records / "gadget.yaml").write_text(yaml.safe_dump(record))


@pytest.mark.parametrize("given", [{}, {"RUNAI_CLIENT_SECRET": SECRET, "RUNAI_CONTROL_PLANE_URL": ""}])
def test_missing_credentials_are_told_before_anything_is_sent(existing: Existing, given: dict[str, str]) -> None:
    with_credentials(existing, SHOWN)
    done = existing.up("--with", "gadget", env=given, check=2)
    assert "gadget needs these environment variables, which are not set:\n" in done.stderr
    assert "RUNAI_CONTROL_PLANE_URL: About RUNAI_CONTROL_PLANE_URL." in done.stderr
    assert ("RUNAI_CLIENT_SECRET" in done.stderr) is not bool(given)
    assert SECRET not in done.stderr
    assert not {"knavtool", "gadget"} & set(existing.names(NAMESPACES))


def test_credentials_reach_the_chart_and_no_other_place(existing: Existing, tmp_path: Path) -> None:
    with_secret = {**SHOWN, "data": {**SHOWN["data"], "secret": "{{ .Values.controlPlane.clientSecret }}"}}  # type: ignore[dict-item]
    with_credentials(existing, with_secret)
    dry = existing.up("--with", "gadget", "--dry-run", env=CREDENTIALS)
    done = existing.up("--with", "gadget", env=CREDENTIALS)
    assert existing.get(CONFIG_MAPS, "shown", "gadget")["data"] == {
        "url": "https://control-plane.example",
        "secret": SECRET,
        "uid": "${RUNAI_CLUSTER_UID}",  # the record does not declare it
    }
    assert "sesame" not in dry.stdout + dry.stderr + done.stdout + done.stderr
    assert "sesame" not in kubectl(existing, "get", "configmaps", "--namespace", "knavtool", "-o", "yaml")

    render(existing, "--with", "gadget", "--output-dir", tmp_path / "tree")
    for file in (tmp_path / "tree").rglob("*"):
        assert file.is_dir() or "sesame" not in file.read_text()
    values = yaml.safe_load((tmp_path / "tree" / "gadget" / "values.yaml").read_text())
    assert values["controlPlane"]["clientSecret"] == "${RUNAI_CLIENT_SECRET}"
    said = (tmp_path / "tree" / "README.md").read_text()
    assert "envsubst '$RUNAI_CONTROL_PLANE_URL $RUNAI_CLIENT_SECRET' < gadget/values.yaml | helm upgrade" in said


def test_an_error_of_helm_names_the_variable_and_not_the_secret(existing: Existing, tmp_path: Path) -> None:
    with_credentials(existing)
    chart = write_chart(tmp_path / "failing")
    (chart / "templates" / "fail.yaml").write_text("{{ fail (print .Values.controlPlane.clientSecret) }}\n")
    done = existing.up("--with", "gadget", "--chart", f"gadget={chart}", env=CREDENTIALS, check=3)
    assert "${RUNAI_CLIENT_SECRET}" in done.stderr
    assert "sesame" not in done.stderr
