"""The rights that `cluster up` needs in a cluster that exists: one line for each thing that it does.

A test runs it with an account that has exactly these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.engines.existing import installed, misplaced_pods
from knavtool.engines.existing.installation import DEFINITION
from knavtool.engines.existing.look import Found
from knavtool.engines.existing.ready import SLICES, WEBHOOKS, services_of
from knavtool.kube.resource import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    NAMESPACES,
    NODES,
    PODS,
    SECRETS,
    Resource,
)
from knavtool.kube.rights import Right
from knavtool.kube.rollout import WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.engines.existing.look import Target

_REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet", namespaced=True)


def of(one: Target, *, repair: bool) -> Iterator[Right]:
    """All that the installation of a component takes."""
    yield from reading(one)
    yield from _sending(one)
    yield from _waiting(one)
    yield from _by_helm(one)
    yield from _moving(one, repair=repair)
    if isinstance(one, Found):
        for resource, namespace in one.stale:
            yield from _rights(("get", "delete"), resource, namespace)


def reading(one: Target) -> Iterator[Right]:
    """What the look at a component takes."""
    yield from _rights(("list",), NODES)
    yield from _rights(("list",), CONFIG_MAPS, installed.HOME)
    for ref in one.refs:
        yield from _rights(("list",), one.resource(ref), ref.namespace)
    if any(ref.kind == DEFINITION for ref in one.refs):
        yield from _rights(("get",), CUSTOM_RESOURCE_DEFINITIONS)
    if (release := one.installation.release) is not None:
        for resource in (SECRETS, CONFIG_MAPS):
            yield from _rights(("list",), resource, release.namespace)


def _sending(one: Target) -> Iterator[Right]:
    """The namespace of the records, the record, then the objects; an apply that makes an object takes both verbs."""
    yield from _rights(("get", "create"), NAMESPACES)
    yield from _rights(("create", "patch"), CONFIG_MAPS, installed.HOME)
    before = isinstance(one, Found) and one.record is not None and one.record.values
    if one.installation.given or before:
        yield from _rights(("get", "create", "patch", "delete"), SECRETS, installed.HOME)
    there = one.existing if isinstance(one, Found) else frozenset()
    for ref in map(one.ref, one.installation.objects):
        yield from _rights(("patch",) if ref in there else ("create", "patch"), one.resource(ref), ref.namespace)


def _waiting(one: Target) -> Iterator[Right]:
    if one.installation.definitions or one.installation.after:
        yield from _rights(("list", "watch"), CUSTOM_RESOURCE_DEFINITIONS)
    for ref in one.refs:
        if ref.kind in WORKLOADS:
            yield from _rights(("list", "watch"), one.resource(ref), ref.namespace)
    for manifest in one.installation.objects:
        if manifest["kind"] in WEBHOOKS:
            yield from _rights(("list", "watch"), one.resource(one.ref(manifest)))
            for namespace, _ in services_of([manifest]):
                yield from _rights(("list", "watch"), SLICES, namespace)


def _by_helm(one: Target) -> Iterator[Right]:
    """What Helm does: it keeps its releases, replaces a release that never worked, runs hooks, and waits."""
    installation, release = one.installation, one.installation.release
    if release is None:
        return
    yield from _rights(("get", "list", "create", "update", "delete"), SECRETS, release.namespace)
    for ref in map(one.ref, release.objects):
        yield from _rights(("get", "create", "patch", "delete"), one.resource(ref), ref.namespace)
        if ref.kind == "Deployment":
            yield from _rights(("list",), _REPLICA_SETS, ref.namespace)
    for ref in installation.hooks:
        resource = one.resource(ref)
        namespace = ref.namespace if resource.namespaced else ""
        yield from _rights(("get", "list", "watch", "create", "delete"), resource, namespace)


def _moving(one: Target, *, repair: bool) -> Iterator[Right]:
    """The look for pods on virtual nodes, and with `repair` what takes them off."""
    workloads = [ref for ref in one.refs if ref.kind in misplaced_pods.PATCHED]
    for namespace in sorted(misplaced_pods.own_namespaces(one) | {ref.namespace for ref in workloads}):
        yield from _rights(("list", "delete") if repair else ("list",), PODS, namespace)
    for ref in workloads if repair else ():
        yield from _rights(("get", "patch"), one.resource(ref), ref.namespace)


def _rights(verbs: tuple[str, ...], resource: Resource, namespace: str = "") -> Iterator[Right]:
    for verb in verbs:
        yield Right(verb, resource, "", namespace or None)
