"""`cluster up` in a cluster that exists, on a gateway in memory: what is told when something fails."""

from __future__ import annotations

from typing import Any

import pytest

from knavtool.engines.existing.installation import Installation, Ref
from knavtool.engines.existing.look import Found
from knavtool.engines.existing.plan import Plan
from knavtool.engines.existing.up import up
from knavtool.errors import DeadlineExceeded, Forbidden
from knavtool.events import Steps
from knavtool.kube.resource import DEPLOYMENTS, NODES, PODS
from knavtool.render.manifests import ManifestSet
from support.events import ignore
from support.memory import Memory

DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "widget", "namespace": "default"}}


def found() -> Found:
    """A component of one Deployment, which is there."""
    ref = Ref("apps/v1", "Deployment", "default", "widget")
    spec = {"template": {"spec": {}}}
    return Found(
        installation=Installation(
            name="widget", version="1.0.0", objects=ManifestSet.ordered([{**DEPLOYMENT, "spec": spec}])
        ),
        record=None,
        refs=(ref,),
        resources={("apps/v1", "Deployment"): DEPLOYMENTS},
        existing=frozenset({ref}),
    )


async def cluster() -> Memory:
    """A Deployment that no controller looks at, and its pod on a virtual node."""
    made = Memory()
    await made.create(NODES, {"metadata": {"name": "virtual-0", "labels": {"type": "kwok"}}})
    await made.create(DEPLOYMENTS, {**DEPLOYMENT, "spec": {"template": {"spec": {}}}}, namespace="default")
    pod: dict[str, Any] = {"metadata": {"name": "widget-1"}, "spec": {"nodeName": "virtual-0"}}
    await made.create(PODS, pod, namespace="default")
    await made.patch(
        PODS,
        "widget-1",
        {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
        namespace="default",
        subresource="status",
    )
    return made


async def install(gateway: Memory, *, repair: bool) -> None:
    await up(
        gateway,  # type: ignore[arg-type]
        None,
        Plan(found=(found(),), records={}, real_nodes=0),
        repair=repair,
        timeout=0.2,
        steps=Steps(ignore),
    )


async def test_a_repair_that_takes_too_long_is_told_with_what_failed_before() -> None:
    with pytest.raises(DeadlineExceeded) as caught:
        await install(await cluster(), repair=True)
    first, second = caught.value.message.splitlines()
    assert first.startswith("widget: not ready in time: Deployment default/widget")
    assert second == "repair: not ready in time: Deployment default/widget: not looked at yet"


async def test_pods_that_cannot_be_looked_for_hide_no_failure() -> None:
    gateway = await cluster()
    gateway.refuse["list", "Node"] = Forbidden("list nodes: no", status=403)
    with pytest.raises(DeadlineExceeded) as caught:
        await install(gateway, repair=False)
    first, second = caught.value.message.splitlines()
    assert first.startswith("widget: not ready in time")
    assert second == "pods on virtual nodes: list nodes: no"
