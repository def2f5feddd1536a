"""Charts made by tests, a repository of them on loopback, and records of components that use them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from support.registry import ARCHIVE, CONFIG, digest_of
from support.releases import Host, Served

LONG = {"pod-complete.stage.kwok.x-k8s.io/delay": "1h"}
"""KWOK ends the pods of nodes it plays after half a minute; with this annotation they live on."""
REAL = {
    "nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "type", "operator": "NotIn", "values": ["kwok"]}]}]
        }
    }
}
AT_ONCE = {"terminationGracePeriodSeconds": 0}
"""A namespace is looked at again after half the time that its pods may take."""


def deployment(name: str, **pod: Any) -> dict[str, Any]:
    """A Deployment of one pod; `pod` is added to its specification."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": LONG},
                "spec": {**AT_ONCE, "containers": [{"name": "main", "image": "registry.example/controller:v1"}], **pod},
            },
        },
    }


def definition(kind: str, *versions: str, group: str = "tests.knavtool.example") -> dict[str, Any]:
    """A CustomResourceDefinition of a namespaced kind; the last version is the stored one."""
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == versions[-1],
                    "schema": {"openAPIV3Schema": schema},
                }
                for version in versions
            ],
        },
    }


def hook(name: str, when: str, **spec: Any) -> dict[str, Any]:
    """A Job that Helm runs and waits for; `spec` is that of the Job."""
    pod = {
        **AT_ONCE,
        "restartPolicy": "Never",
        "affinity": REAL,
        "containers": [{"name": "hook", "image": "registry.example/hook"}],
    }
    metadata = {
        "name": name,
        "annotations": {"helm.sh/hook": when, "helm.sh/hook-delete-policy": "before-hook-creation"},
    }
    template = {"metadata": {"annotations": LONG}, "spec": pod}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {"backoffLimit": 0, "template": template, **spec},
    }


def write_chart(
    directory: Path,
    *templates: Mapping[str, Any],
    name: str = "gadget",
    version: str = "1.0.0",
    crds: tuple[Mapping[str, Any], ...] = (),
    kube_version: str = "",
) -> Path:
    """A chart with these objects, as a directory; `kube_version` is which Kubernetes it is for."""
    (directory / "templates").mkdir(parents=True)
    (directory / "crds").mkdir()
    about = {"apiVersion": "v2", "name": name, "version": version}
    if kube_version:
        about["kubeVersion"] = kube_version
    (directory / "Chart.yaml").write_text(yaml.safe_dump(about))
    for number, item in enumerate(templates):
        (directory / "templates" / f"{number}.yaml").write_text(yaml.safe_dump(dict(item)))
    for number, item in enumerate(crds):
        (directory / "crds" / f"{number}.yaml").write_text(yaml.safe_dump(dict(item)))
    return directory


def packed(chart: Path, name: str = "gadget") -> bytes:
    """The archive of a chart."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(chart, arcname=name)
    return buffer.getvalue()


def publish(host: Host, archive: bytes, *, name: str = "gadget", version: str = "1.0.0", digest: str = "") -> str:
    """Serve a chart with an index that gives its sum (or `digest`); returns the sum. The host is a mirror."""
    found = hashlib.sha256(archive).hexdigest()
    file = f"{name}-{version}.tgz"
    entry = {"name": name, "version": version, "urls": [file], "digest": digest or found}
    index = {"apiVersion": "v1", "entries": {name: [entry]}}
    host.files["/charts.example/stable/index.yaml"] = Served(yaml.safe_dump(index).encode())
    host.files[f"/charts.example/stable/{file}"] = Served(archive)
    return found


def publish_in_registry(host: Host, archive: bytes, *, version: str) -> str:
    """Serve a chart as a mirror of a registry does; returns what `--chart` takes."""
    digest, config = digest_of(archive), digest_of(b"{}")
    manifest = {
        "schemaVersion": 2,
        "config": {"mediaType": CONFIG, "digest": config, "size": 2},
        "layers": [{"mediaType": ARCHIVE, "digest": digest, "size": len(archive)}],
    }
    base = "/registry.example/v2/charts/gadget"
    host.files[f"{base}/manifests/{version}"] = Served(json.dumps(manifest).encode())
    host.files[f"{base}/blobs/{digest}"] = Served(archive)
    return f"oci://registry.example/charts/gadget:{version}"
