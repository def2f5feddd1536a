"""Controllers stay off virtual nodes: there they would seem to run, and do nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.documents.entries import VIRTUAL_LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.render.manifests import Manifest

_KEY, _VALUE = VIRTUAL_LABEL
_REAL = {"key": _KEY, "operator": "NotIn", "values": [_VALUE]}
_RULE = "requiredDuringSchedulingIgnoredDuringExecution"
_PATHS: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "ReplicationController": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "Pod": ("spec",),
}
"""Where kinds that make pods keep the specification of these."""


def on_real_nodes(manifest: Manifest) -> Manifest:
    """The manifest with a rule that keeps its pods off virtual nodes; the same one if it makes none or has the rule."""
    if stays_on_real_nodes(manifest):
        return manifest
    return _changed(manifest, _PATHS[manifest["kind"]])


def real_nodes_patch(manifest: Manifest) -> Manifest:
    """A strategic merge patch with nothing but the rule that the manifest has for the nodes of its pods."""
    metadata = {field: manifest["metadata"][field] for field in ("name", "namespace") if field in manifest["metadata"]}
    rule = {_RULE: {"nodeSelectorTerms": _terms(pod_spec(manifest) or {})}}
    part: dict[str, Any] = {"affinity": {"nodeAffinity": rule}}
    for field in reversed(_PATHS[manifest["kind"]]):
        part = {field: part}
    return {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": metadata, **part}


def stays_on_real_nodes(manifest: Manifest) -> bool:
    """Whether no pod of it can come to a virtual node; true for kinds that make none."""
    pod = pod_spec(manifest)
    if pod is None:
        return True
    terms = _terms(pod)
    return bool(terms) and all(any(_excludes(one) for one in term.get("matchExpressions") or ()) for term in terms)


def pod_spec(manifest: Manifest) -> Mapping[str, Any] | None:
    """The specification of the pods that it makes; None if it makes none."""
    found: Any = manifest
    for key in _PATHS.get(manifest.get("kind", ""), ("",)):
        found = found.get(key)
        if not isinstance(found, dict):
            return None
    return dict(found)


def _terms(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    rules = ((pod.get("affinity") or {}).get("nodeAffinity") or {}).get(_RULE) or {}
    return list(rules.get("nodeSelectorTerms") or ())


def _excludes(expression: Mapping[str, Any]) -> bool:
    values = expression.get("values") or ()
    return expression.get("key") == _KEY and expression.get("operator") == "NotIn" and _VALUE in values


def _changed(part: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """A copy along the path, with the rule at its end; the rest is shared."""
    if path:
        return {**part, path[0]: _changed(part[path[0]], path[1:])}
    # Terms are alternatives, so each of them needs the rule.
    terms = [
        {**term, "matchExpressions": [*(term.get("matchExpressions") or ()), _REAL]} for term in _terms(part) or [{}]
    ]
    affinity = part.get("affinity") or {}
    node = {**(affinity.get("nodeAffinity") or {}), _RULE: {"nodeSelectorTerms": terms}}
    return {**part, "affinity": {**affinity, "nodeAffinity": node}}
