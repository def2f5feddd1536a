"""Who made a node: this tool, a Helm release, or somebody else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from knavtool.kube.resource import Manifest
    from knavtool.render.nodes import NodeSet

MANAGED_BY = "app.kubernetes.io/managed-by"
OURS = "knavtool"
SELECTOR = f"{MANAGED_BY}={OURS}"
MADE_BY = "knavtool.io/made-by"
"""Annotation of nodes that `nodes apply` made, or found as its file wants them: the user expects them to stay."""

NODES_APPLY = "nodes-apply"

HELM_RELEASE = "meta.helm.sh/release-name"
HELM_NAMESPACE = "meta.helm.sh/release-namespace"


@dataclass(frozen=True, slots=True)
class Owner:
    """`release` and `namespace` are set when Helm owns the node; a foreign node has neither and is not ours."""

    ours: bool
    release: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        if self.ours:
            return "knavtool"
        return f"Helm release {self.namespace}/{self.release}" if self.release else "somebody else"


def owned(nodes: NodeSet) -> NodeSet:
    """Nodes, their slices and device classes with the label that says whose they are."""
    return nodes.labeled(MANAGED_BY, OURS)


def is_applied(node: Manifest) -> bool:
    """Whether `nodes apply` made the node, or a later one wanted it."""
    return (node["metadata"].get("annotations") or {}).get(MADE_BY) == NODES_APPLY


def owner_of(node: Manifest) -> Owner:
    """Read the owner from labels and annotations."""
    metadata = node["metadata"]
    if (metadata.get("labels") or {}).get(MANAGED_BY) == OURS:
        return Owner(ours=True)
    annotations = metadata.get("annotations") or {}
    return Owner(ours=False, release=annotations.get(HELM_RELEASE, ""), namespace=annotations.get(HELM_NAMESPACE, ""))
