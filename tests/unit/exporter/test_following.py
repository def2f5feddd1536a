"""What the exporter knows follows the API server, also after it was away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from knavtool.errors import Forbidden, Unreachable
from knavtool.exporter.cluster import Cluster
from knavtool.exporter.following import Following
from knavtool.exporter.gangs import Gangs
from knavtool.exporter.seen import Tracked
from knavtool.kube.gateway import Change, WatchEvent
from knavtool.kube.resource import NODES, PODS, Resource
from support.exported import GROUPS
from support.memory import Memory

POD_GROUPS = Resource("scheduling.k8s.io", "v1beta1", "podgroups", "PodGroup", namespaced=True)

TRACKED = Tracked(resources=("nvidia.com/gpu",), groups=GROUPS)


class Server(Memory):
    """An API server that can be away: its watches break, and new ones are refused."""

    away = False

    async def watch(self, resource: Resource, **options: Any) -> AsyncGenerator[WatchEvent]:
        async with aclosing(super().watch(resource, **options)) as events:
            async for event in events:
                if self.away:
                    raise Unreachable("it is away")
                yield event

    def leave(self) -> None:
        self.away = True
        for resource in (NODES, PODS):
            self._tell(resource, WatchEvent(Change.MODIFIED, {"metadata": {"name": "never told"}}))


async def until(condition: Callable[[], bool]) -> None:
    """Wait until what was told has arrived."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.001)


@asynccontextmanager
async def followed(server: Server, waits: list[float]) -> AsyncIterator[tuple[Following, Cluster]]:
    cluster = Cluster(TRACKED, Gangs(waits.append))
    following = Following(server, cluster)
    task = asyncio.create_task(following.follow())
    try:
        await until(lambda: following.up)
        yield following, cluster
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def make_node(server: Server, name: str) -> None:
    status = {"allocatable": {"nvidia.com/gpu": "8"}, "conditions": [{"type": "Ready", "status": "True"}]}
    await server.create(NODES, {"metadata": {"name": name}})
    await server.patch(NODES, name, {"status": status}, subresource="status")


async def make_pod(server: Server, name: str, *, node: str = "", group: str = "") -> None:
    asked = {"requests": {"nvidia.com/gpu": "8"}}
    owner = {"kind": "Job", "name": "j", "uid": "j", "controller": True}
    spec: dict[str, Any] = {"containers": [{"name": "c", "resources": asked}]}
    if node:
        spec["nodeName"] = node
    if group:
        spec["schedulingGroup"] = {"podGroupName": group}
    metadata = {"name": name, "ownerReferences": [owner]}
    await server.create(PODS, {"metadata": metadata, "spec": spec}, namespace="ns")


async def test_what_went_while_the_server_was_away_is_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    for name in ("a", "b"):
        await make_node(server, name)
        await make_pod(server, name, node=name)
    async with followed(server, []) as (following, cluster):
        assert following.up
        assert cluster.blocks().allocatable == 16
        server.leave()
        await until(lambda: not following.up)
        assert cluster.blocks().allocatable == 16, "what was known last"
        await server.delete(NODES, "a")
        await server.delete(PODS, "b", namespace="ns")
        await make_pod(server, "new")
        server.away = False
        await until(lambda: following.up)
        assert set(cluster.nodes) == {"b"}
        assert cluster.pods.keys() == {("ns", "a"), ("ns", "new")}
        assert cluster.used("b").requests == (0,)
        assert cluster.pending()["new"] == 1
    assert "pods are as they were last: it is away" in caplog.text


async def test_no_wait_is_made_up_for_gangs_that_were_bound_meanwhile() -> None:
    waits: list[float] = []
    server = Server()
    async with followed(server, waits) as (following, cluster):
        await make_pod(server, "p")
        await until(lambda: bool(cluster.pods))
        server.leave()
        await until(lambda: not following.up)
        await server.patch(PODS, "p", {"spec": {"nodeName": "n"}}, namespace="ns")
        server.away = False
        await until(lambda: following.up)
        cluster.gangs.settle(float("inf"))
        assert waits == []
        await server.delete(PODS, "p", namespace="ns")
        await until(lambda: not cluster.pods)
        await make_pod(server, "p")
        await server.patch(PODS, "p", {"spec": {"nodeName": "n"}}, namespace="ns")
        await until(lambda: [pod.node for pod in cluster.pods.values()] == ["n"])
        cluster.gangs.settle(float("inf"))
        assert len(waits) == 1


async def test_what_may_not_be_read_at_the_beginning_is_an_error() -> None:
    server = Server()
    server.refuse["watch", "Pod"] = Forbidden("watch pods: forbidden", status=403)
    cluster = Cluster(TRACKED, Gangs(lambda _: None))
    with pytest.raises(Forbidden):
        await Following(server, cluster).follow()


async def make_group(server: Server, name: str, least: int) -> None:
    spec = {"schedulingPolicy": {"gang": {"minCount": least}}}
    await server.create(POD_GROUPS, {"metadata": {"name": name}, "spec": spec}, namespace="ns")


async def test_a_gang_is_complete_when_its_group_says_so() -> None:
    waits: list[float] = []
    server = Server([POD_GROUPS])
    await make_group(server, "g", 1)
    async with followed(server, waits) as (_, cluster):
        assert server.calls.count(("watch", "PodGroup", "")) == 0, "no pod names one yet"
        await make_pod(server, "a", group="g")
        await make_pod(server, "b", group="g")
        await server.patch(PODS, "a", {"spec": {"nodeName": "n"}}, namespace="ns")
        await until(lambda: len(waits) == 1)
        await make_group(server, "h", 2)
        await until(lambda: ("ns", "h") in cluster.gangs._least)
        await make_pod(server, "c", group="h")
        await server.patch(PODS, "c", {"spec": {"nodeName": "n"}}, namespace="ns")
        await until(lambda: bool(cluster.pods.get(("ns", "c")) and cluster.pods["ns", "c"].node))
        cluster.gangs.settle(float("inf"))
        assert len(waits) == 1
        assert server.calls.count(("watch", "PodGroup", "")) == 1


async def test_groups_that_may_not_be_read_leave_gangs_with_all_of_their_pods(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    waits: list[float] = []
    server = Server([POD_GROUPS])
    server.refuse["watch", "PodGroup"] = Forbidden("watch podgroups: forbidden", status=403)
    async with followed(server, waits) as (following, cluster):
        await make_pod(server, "a", group="g")
        await server.patch(PODS, "a", {"spec": {"nodeName": "n"}}, namespace="ns")
        await until(lambda: "watch podgroups: forbidden; gangs need all of their pods" in caplog.text)
        await until(lambda: bool(cluster.pods["ns", "a"].node))
        assert following.up
        cluster.gangs.settle(float("inf"))
        assert len(waits) == 1
