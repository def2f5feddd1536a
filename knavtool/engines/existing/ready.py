"""Whether what was installed works: workloads as their controllers see them, webhooks as the API server sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from knavtool.errors import ClusterError
from knavtool.kube.resource import Resource
from knavtool.kube.waiting import until
from knavtool.taskgroup import task_group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from knavtool.engines.existing.installation import Ref
    from knavtool.events import Step
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest

SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", namespaced=True)
WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


@dataclass(slots=True)
class Progress:
    """How far a step is, and what it waits for: what to tell if it takes too long."""

    step: Step
    waiting: str = ""

    def tell(self, done: int, total: int, waiting: str) -> None:
        """`done` of `total` are there, and `waiting` is not."""
        self.waiting = waiting
        self.step.progress(done, total, waiting)


class JobFailed(ClusterError):
    """A Job that belongs to a component has failed, and will not be tried again."""


def lacking(workload: Manifest) -> str:
    """Why a workload does not work yet, "" if it does. Raises JobFailed."""
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    if status.get("observedGeneration", 0) < workload["metadata"].get("generation", 0) and workload["kind"] != "Job":
        return "not seen by its controller yet"
    return _LACKING[workload["kind"]](spec, status, workload["metadata"])


def _deployment(spec: Mapping[str, Any], status: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    wanted = spec.get("replicas", 1)
    if (updated := status.get("updatedReplicas", 0)) < wanted:
        return f"{updated} of {wanted} pods up to date"
    if (old := status.get("replicas", 0) - updated) > 0:
        return f"{old} old pods still there"
    available = status.get("availableReplicas", 0)
    return f"{available} of {wanted} pods available" if available < wanted else ""


def _stateful_set(spec: Mapping[str, Any], status: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    wanted, ready = spec.get("replicas", 1), status.get("readyReplicas", 0)
    if ready < wanted:
        return f"{ready} of {wanted} pods ready"
    updated = status.get("currentRevision") == status.get("updateRevision")
    return "" if updated else f"{status.get('updatedReplicas', 0)} of {wanted} pods up to date"


def _daemon_set(_spec: Mapping[str, Any], status: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    wanted = status.get("desiredNumberScheduled", 0)
    if (updated := status.get("updatedNumberScheduled", 0)) < wanted:
        return f"{updated} of {wanted} pods up to date"
    available = status.get("numberAvailable", 0)
    return f"{available} of {wanted} pods available" if available < wanted else ""


def _job(_spec: Mapping[str, Any], status: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    conditions = {one["type"]: one for one in status.get("conditions") or () if one["status"] == "True"}
    if (failed := conditions.get("Failed")) is not None:
        why = failed.get("message") or failed.get("reason", "")
        raise JobFailed(f"Job {metadata['namespace']}/{metadata['name']} failed: {why}")
    return "" if "Complete" in conditions else "not complete"


_LACKING: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], str]] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
}
WORKLOADS = tuple(_LACKING)


async def until_ready(gateway: Gateway, refs: Iterable[Ref], *, progress: Progress) -> None:
    """Wait until all workloads among the objects work; `progress` shows how many do and what the next one lacks.

    For ever: the caller sets the time. Raises JobFailed.
    """
    places: dict[tuple[str, str, str], set[str]] = {}
    for ref in refs:
        if ref.kind in WORKLOADS:
            places.setdefault((ref.api_version, ref.kind, ref.namespace), set()).add(ref.name)
    total = sum(map(len, places.values()))
    lacks: dict[str, str] = {}
    for (_, kind, namespace), names in places.items():
        lacks.update({f"{kind} {namespace}/{name}": "not looked at yet" for name in sorted(names)})

    def ready(place: tuple[str, str, str]) -> Callable[[Mapping[tuple[str, str], Manifest]], bool | None]:
        def judge(seen: Mapping[tuple[str, str], Manifest]) -> bool | None:
            _, kind, namespace = place
            left = 0
            for name in places[place]:
                item = seen.get((namespace, name))
                reason = lacking({**item, "kind": kind}) if item is not None else "not there"
                lacks[f"{kind} {namespace}/{name}"] = reason
                left += bool(reason)
            waiting = [f"{what}: {reason}" for what, reason in lacks.items() if reason]
            progress.tell(total - len(waiting), total, waiting[0] if waiting else "")
            return None if left else True

        return judge

    async def wait(place: tuple[str, str, str]) -> None:
        resource = await gateway.discover(*place[:2])
        await until(gateway, resource, ready(place), timeout=None, namespace=place[2])

    if lacks:
        progress.waiting = ": ".join(next(iter(lacks.items())))
    async with task_group() as group:
        for place in places:
            group.create_task(wait(place), name=f"ready-{place}")


def services_of(webhooks: Iterable[Manifest]) -> set[tuple[str, str]]:
    """The services that webhook configurations lead to: namespace and name."""
    return {
        (service["namespace"], service["name"])
        for configuration in webhooks
        for webhook in configuration.get("webhooks") or ()
        if (service := webhook["clientConfig"].get("service"))
    }


async def until_answering(gateway: Gateway, webhooks: Iterable[Manifest], *, progress: Progress) -> None:
    """Wait until each service that webhook configurations lead to has an endpoint that is ready."""
    for namespace, name in sorted(services_of(webhooks)):
        progress.tell(0, 0, f"Service {namespace}/{name}: no endpoint ready")
        await until(
            gateway,
            SLICES,
            lambda seen: any(_has_ready(one) for one in seen.values()) or None,
            timeout=None,
            namespace=namespace,
            label_selector=f"kubernetes.io/service-name={name}",
        )


async def until_trusted(gateway: Gateway, resource: Resource, name: str, *, progress: Progress) -> None:
    """Wait until a webhook configuration has the authority of its services, which their programs write into it."""

    def trusted(seen: Mapping[tuple[str, str], Manifest]) -> bool | None:
        webhooks = seen.get(("", name), {}).get("webhooks")
        if webhooks is None:
            return None
        return all(one["clientConfig"].get("caBundle") or "url" in one["clientConfig"] for one in webhooks) or None

    progress.tell(0, 0, f"{resource.kind} {name}: no caBundle yet")
    await until(gateway, resource, trusted, timeout=None, field_selector=f"metadata.name={name}")


def _has_ready(item: Manifest) -> bool:
    return any((one.get("conditions") or {}).get("ready") for one in item.get("endpoints") or ())
