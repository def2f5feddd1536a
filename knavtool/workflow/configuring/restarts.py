"""Restarts deployments and waits for the rollout, by the same signs as `kubectl rollout status`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from knavtool.documents.values import text
from knavtool.errors import ClusterError, NotFound
from knavtool.kube.resource import DEPLOYMENTS
from knavtool.kube.rollout import lacking, stuck
from knavtool.kube.waiting import until
from knavtool.workflow.configuring.settings import remaining

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest

_RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


class NothingToRestart(NotFound):
    """No deployment has the labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """Deployments by name or by labels."""

    namespace: str
    name: str
    labels: Mapping[str, str]

    @classmethod
    def parse(cls, item: Mapping[str, Any]) -> Self:
        labels = {key: "" if value is None else text(value) for key, value in (item.get("labels") or {}).items()}
        return cls(namespace=text(item["namespace"]), name=text(item.get("name") or ""), labels=labels)


async def restart(gateway: Gateway, wanted: Restart, deadline: float) -> str:
    """Restart what matches and wait until the new pods have taken over. Raises NothingToRestart."""
    names = [wanted.name] if wanted.name else await _labelled(gateway, wanted)
    for name in names:
        # With a fraction, so that a second restart within one second is a change too.
        stamp = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        patch = {"spec": {"template": {"metadata": {"annotations": {_RESTARTED_AT: stamp}}}}}
        await gateway.patch(DEPLOYMENTS, name, patch, namespace=wanted.namespace)
    for name in names:
        await _rolled_out(gateway, wanted.namespace, name, deadline)
    return f"restarted {', '.join(f'{wanted.namespace}/{name}' for name in names)}"


async def _labelled(gateway: Gateway, wanted: Restart) -> list[str]:
    selector = ",".join(f"{key}={value}" for key, value in wanted.labels.items())
    found = await gateway.list(DEPLOYMENTS, namespace=wanted.namespace, label_selector=selector)
    if not found:
        raise NothingToRestart(f"no deployment in namespace {wanted.namespace} has the labels {selector}", status=404)
    return [item["metadata"]["name"] for item in found]


async def _rolled_out(gateway: Gateway, namespace: str, name: str, deadline: float) -> None:
    generation = (await gateway.get(DEPLOYMENTS, name, namespace=namespace))["metadata"].get("generation", 0)
    waits_for = "it was not seen"

    def done(state: Mapping[tuple[str, str], Manifest]) -> bool | None:
        nonlocal waits_for
        live = state.get((namespace, name))
        if live is None:
            raise NotFound(f"deployment {namespace}/{name} was deleted while it restarted", status=404)
        if live["metadata"].get("generation", 0) < generation:
            return None  # as it was before the restart
        live = {**live, "kind": DEPLOYMENTS.kind}
        if why := stuck(live):
            raise ClusterError(f"rollout of deployment {name} is stuck: {why}")
        waits_for = lacking(live)
        return True if not waits_for else None

    await until(
        gateway,
        DEPLOYMENTS,
        done,
        timeout=remaining(deadline),
        namespace=namespace,
        field_selector=f"metadata.name={name}",
        describe=lambda _: f"deployment {namespace}/{name}: {waits_for}",
    )
