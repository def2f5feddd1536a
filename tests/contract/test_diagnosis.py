"""The events that a real scheduler writes."""

from __future__ import annotations

import uuid
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from knavtool.kube.connecting import connect
from knavtool.kube.resource import EVENTS, NAMESPACES, PODS
from knavtool.workflow.observing.diagnosis import diagnose
from knavtool.workflow.submission import Submitted

if TYPE_CHECKING:
    from knavtool.kube.gateway import Gateway

pytestmark = pytest.mark.cluster


async def test_the_schedulers_words_about_pods_that_fit_nowhere(control_plane: Any) -> None:
    namespace = f"events-{uuid.uuid4().hex[:8]}"
    container = {"name": "c", "image": "none", "resources": {"limits": {"nvidia.com/gpu": "8"}}}
    async with connect(kubeconfig=control_plane.kubeconfig, context=control_plane.context) as client:
        await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        try:
            for name in ("a", "b", "c"):
                pod = {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {"name": name},
                    "spec": {"containers": [container]},
                }
                await client.create(PODS, pod, namespace=namespace)
            await _until_told(client, namespace, {"a", "b", "c"})
            pods = await client.list(PODS, namespace=namespace)
            some = await diagnose(client, pods=[pod for pod in pods if pod["metadata"]["name"] != "c"])
            uid = next(pod["metadata"]["uid"] for pod in pods if pod["metadata"]["name"] == "c")
            one = await diagnose(client, [Submitted(resource=PODS, namespace=namespace, name="c", uid=uid)])
        finally:
            await client.delete(NAMESPACES, namespace)
    (group,) = some.events
    assert group.objects == (f"{namespace}/a", f"{namespace}/b")
    assert (group.type, group.reason, group.reporter) == ("Warning", "FailedScheduling", "default-scheduler")
    assert "nodes" in group.message
    assert some.notes == one.notes == ()
    assert [group.objects for group in one.events] == [(f"{namespace}/c",)]


async def _until_told(gateway: Gateway, namespace: str, names: set[str]) -> None:
    """Wait for an event about each pod."""
    left = set(names)
    async with aclosing(gateway.watch(EVENTS, namespace=namespace)) as events:
        async for event in events:
            if not event.synced:
                left.discard(event.object["involvedObject"]["name"])
            if not left:
                return
