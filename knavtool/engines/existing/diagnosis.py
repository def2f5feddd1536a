"""What the cluster itself says about a component that does not work: pods, events, the end of a log.

Reading it never hides the failure: what cannot be read, or not in time, is told as that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from knavtool.errors import ClusterError
from knavtool.kube.resource import EVENTS, PODS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator, Mapping

    from knavtool.engines.existing.installation import Ref
    from knavtool.kube.client import Client
    from knavtool.kube.resource import Manifest

_WITHIN = 5.0
_EVENTS = 5
_LINES = 10
_PODS = 3


async def explain(client: Client, own: Collection[str], workloads: Collection[Ref]) -> list[str]:
    """Lines to put below the message of a failure; none if there is nothing to tell.

    In the component's `own` namespaces everything counts, elsewhere what belongs to its workloads.
    """
    namespaces = {*own, *(ref.namespace for ref in workloads if ref.namespace)}
    lines: list[str] = []
    try:
        async with asyncio.timeout(_WITHIN):
            for namespace in sorted(namespaces):
                names = {ref.name for ref in workloads if ref.namespace == namespace} if namespace not in own else {""}
                async for line in _explain(client, namespace, names):
                    lines.append(line)  # noqa: PERF401 - what was read before the time is over is told
    except TimeoutError:
        lines.append(f"there may be more: not all was read within {_WITHIN:g} s")
    except ClusterError as error:
        lines.append(f"pods and events cannot be read: {error.message}")
    return lines


async def _explain(client: Client, namespace: str, names: Collection[str]) -> AsyncIterator[str]:
    pods = [pod for pod in await client.list(PODS, namespace=namespace) if _of(pod["metadata"]["name"], names)]
    broken = [pod for pod in pods if not _ready(pod)]
    for pod in broken[:_PODS]:
        yield f"pod {namespace}/{pod['metadata']['name']}: {_state(pod)}"
    events = await client.list(EVENTS, namespace=namespace)
    warnings = [one for one in events if one.get("type") == "Warning"]
    about = [one for one in warnings if _of(one["involvedObject"].get("name", ""), names)]
    for event in sorted(about, key=_time)[-_EVENTS:]:
        what = f"{event['involvedObject'].get('kind')} {event['involvedObject'].get('name')}"
        yield f"{event.get('reason', '')}: {event.get('message', '').strip()} ({what})"
    for pod in broken[:1]:
        if pod.get("spec", {}).get("nodeName"):
            async for line in _log(client, pod):
                yield line


async def _log(client: Client, pod: Manifest) -> AsyncIterator[str]:
    """The end of what the first container that is not ready has written."""
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    container = next((one["name"] for one in _containers(pod) if not one.get("ready")), "")
    path = PODS.path(namespace, name, "log")
    query = {"container": container, "tailLines": str(_LINES)}
    tail: deque[str] = deque(maxlen=_LINES)
    try:
        async with client.transport.stream(path, f"read the log of pod {namespace}/{name}", query) as lines:
            async for line in lines:
                tail.append(line.decode(errors="replace"))
    except ClusterError as error:
        yield f"no log of pod {namespace}/{name}: {error.message}"
        return
    if tail:
        yield f"the end of the log of pod {namespace}/{name}, container {container}:"
    for text in tail:
        yield f"  | {text}"


def _of(name: str, workloads: Collection[str]) -> bool:
    """Whether an object is one of the workloads, "" for any, or was made for it: controllers append to the name."""
    return any(not one or name == one or name.startswith(f"{one}-") for one in workloads)


def _containers(pod: Manifest) -> Iterator[Mapping[str, Any]]:
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def _ready(pod: Manifest) -> bool:
    status = pod.get("status") or {}
    conditions = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    return status.get("phase") == "Succeeded" or conditions.get("Ready") == "True"


def _state(pod: Manifest) -> str:
    for container in _containers(pod):
        for state in (container.get("state") or {}, container.get("lastState") or {}):
            for kind in ("waiting", "terminated"):
                if (why := state.get(kind)) and why.get("reason") != "Completed":
                    reason = ": ".join(filter(None, (why.get("reason"), why.get("message"))))
                    return f"container {container['name']}: {reason or kind}"
    conditions = (pod.get("status") or {}).get("conditions") or ()
    why = next((one for one in conditions if one["status"] == "False" and one.get("message")), None)
    return f"{(pod.get('status') or {}).get('phase', 'unknown')}" + (f": {why['message']}" if why else "")


def _time(event: Manifest) -> str:
    return event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or ""
