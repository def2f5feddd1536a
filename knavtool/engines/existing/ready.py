"""Whether what was installed works: workloads as their controllers see them, webhooks as the API server sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.kube.resource import Resource
from knavtool.kube.rollout import WORKLOADS, lacking
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
