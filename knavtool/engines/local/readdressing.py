"""Objects that say where processes on 127.0.0.1 listen, when these have other ports than before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.engines.local.state.ports import LOOPBACK
from knavtool.kube.concurrency import for_each

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.engines.local.saved import Saved
    from knavtool.engines.local.state.record import Record
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Resource

_WEBHOOKS = "admissionregistration.k8s.io/v1"
# Where such an address is: the field, and whether ports stand there as numbers.
_KINDS = (
    (_WEBHOOKS, "MutatingWebhookConfiguration", "webhooks"),
    (_WEBHOOKS, "ValidatingWebhookConfiguration", "webhooks"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "spec"),
    ("discovery.k8s.io/v1", "EndpointSlice", "ports"),
    ("v1", "Service", "spec"),
    ("apiregistration.k8s.io/v1", "APIService", "spec"),
)


def moved_ports(saved: Saved, known: Record) -> dict[int, int]:
    """The new port for each that is another one than when the cluster was saved."""
    before = saved.record.ports
    return {before[use]: port for use, port in known.ports.items() if use in before and before[use] != port}


async def readdress(gateway: Gateway, moved: Mapping[int, int]) -> None:
    """Write the new ports wherever objects have old ones; costs nothing if none has moved."""
    if not moved:
        return
    changes: list[tuple[Resource, str | None, str, dict[str, Any]]] = []
    for api_version, kind, part in _KINDS:
        resource = await gateway.discover(api_version, kind)
        async for page in gateway.pages(resource):
            for item in page:
                if part in item and (new := _moved(item[part], moved, kind)) != item[part]:
                    metadata = item["metadata"]
                    changes.append((resource, metadata.get("namespace"), metadata["name"], {part: new}))

    async def change(one: tuple[Resource, str | None, str, dict[str, Any]]) -> None:
        resource, namespace, name, patch = one
        await gateway.patch(resource, name, patch, namespace=namespace)

    refused = await for_each(changes, change, stop_on_error=True)
    if refused:
        raise refused[0][1]


def _moved(value: Any, moved: Mapping[int, int], kind: str) -> Any:
    """The value with new ports in its URLs, and, of what Services consist of, in its numbers."""
    if isinstance(value, dict):
        return {name: _moved(inner, moved, kind) for name, inner in value.items()}
    if isinstance(value, list):
        return [_moved(inner, moved, kind) for inner in value]
    if isinstance(value, str):
        for old, new in moved.items():
            start = f"https://{LOOPBACK}:{old}"
            if value == start or value.startswith(f"{start}/"):
                return f"https://{LOOPBACK}:{new}{value.removeprefix(start)}"
        return value
    if isinstance(value, int) and not isinstance(value, bool) and kind in ("EndpointSlice", "Service", "APIService"):
        return moved.get(value, value)
    return value
