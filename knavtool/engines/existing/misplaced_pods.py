"""Pods of components that sit on virtual nodes, where nothing runs: found, and moved on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.documents.entries import VIRTUAL
from knavtool.engines.existing.installation import NAMESPACE
from knavtool.kube.resource import NODES, PODS
from knavtool.render.placement import on_real_nodes, stays_on_real_nodes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from knavtool.engines.existing.installation import Ref
    from knavtool.engines.existing.look import Found, Target
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest

_SHARED = frozenset({"default", "kube-system"})
PATCHED = ("Deployment", "StatefulSet", "DaemonSet")
"""Kinds whose pods can be given another rule; a Job's cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misplaced:
    """A pod of a component on a virtual node."""

    component: str
    namespace: str
    pod: str
    uid: str
    node: str

    def __str__(self) -> str:
        return f"pod {self.namespace}/{self.pod} of {self.component} sits on the virtual node {self.node}"


async def misplaced(gateway: Gateway, components: Iterable[Found]) -> list[Misplaced]:
    """All pods of the components on virtual nodes; those that have ended do not count."""
    nodes: set[str] = set()
    async for page in gateway.pages(NODES, label_selector=VIRTUAL, metadata_only=True):
        nodes.update(node["metadata"]["name"] for node in page)
    if not nodes:
        return []
    found: dict[str, Misplaced] = {}
    for one in components:
        for namespace in sorted(_namespaces(one)):
            for pod in await gateway.list(PODS, namespace=namespace):
                node = pod["spec"].get("nodeName", "")
                ended = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
                if node in nodes and not ended and _belongs(pod, one):
                    metadata = pod["metadata"]
                    found.setdefault(
                        metadata["uid"],
                        Misplaced(
                            component=one.installation.name,
                            namespace=namespace,
                            pod=metadata["name"],
                            uid=metadata["uid"],
                            node=node,
                        ),
                    )
    return list(found.values())


async def move(gateway: Gateway, components: Iterable[Found], pods: Iterable[Misplaced]) -> list[Ref]:
    """Give the workloads of these pods the rule that keeps them off, and delete the pods; returns the workloads."""
    pods = list(pods)
    named = {pod.component for pod in pods}
    touched = []
    for one in components:
        if one.installation.name not in named:
            continue
        for ref in sorted(one.existing):
            if ref.kind in PATCHED and any(_made_for(pod.pod, pod.namespace, ref) for pod in pods):
                touched.append(ref)
                await _keep_off(gateway, one, ref)
    for pod in pods:
        await gateway.delete(PODS, pod.pod, namespace=pod.namespace, uid=pod.uid)
    return touched


async def _keep_off(gateway: Gateway, one: Found, ref: Ref) -> None:
    workload = {**await gateway.get(one.resource(ref), ref.name, namespace=ref.namespace), "kind": ref.kind}
    if not stays_on_real_nodes(workload):
        affinity = on_real_nodes(workload)["spec"]["template"]["spec"]["affinity"]
        body = {"spec": {"template": {"spec": {"affinity": affinity}}}}
        await gateway.patch(one.resource(ref), ref.name, body, namespace=ref.namespace)


def own_namespaces(one: Target) -> set[str]:
    """The namespaces that hold the component and nothing else."""
    release = one.installation.release
    names = {ref.name for ref in one.refs if ref.kind == NAMESPACE} | ({release.namespace} if release else set())
    return names - _SHARED


def _namespaces(one: Found) -> set[str]:
    return own_namespaces(one) | {ref.namespace for ref in one.existing if ref.kind in PATCHED}


def _belongs(pod: Manifest, one: Found) -> bool:
    metadata = pod["metadata"]
    if metadata["namespace"] in own_namespaces(one):
        return True
    return any(_made_for(metadata["name"], metadata["namespace"], ref) for ref in one.existing if ref.kind in PATCHED)


def _made_for(pod: str, namespace: str, workload: Ref) -> bool:
    """Whether a pod is of a workload: controllers append to the name."""
    return namespace == workload.namespace and pod.startswith(f"{workload.name}-")
