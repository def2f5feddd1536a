"""Applying: what is counted, what is sent, and that nothing is sent for what is as it should be."""

from __future__ import annotations

import pytest

from knavtool.errors import DeadlineExceeded
from knavtool.kube.resource import NODES
from knavtool.nodes.apply import Summary
from knavtool.nodes.compare import compare
from knavtool.nodes.ownership import OURS
from knavtool.render.nodes import NodeSet
from support.nodes import EXTRA, TAINT, Cluster, Listener, apply, node_set


def counts(summary: Summary) -> tuple[int, int, int, int]:
    return summary.created, summary.changed, summary.unchanged, summary.removed


async def test_new_nodes_are_posted_whole(cluster: Cluster) -> None:
    announced: list[str] = []
    summary = await apply(cluster, node_set("a", "b", taints=[TAINT], conditions=[EXTRA]), created=announced.append)
    assert counts(summary) == (2, 0, 0, 0)
    assert cluster.writes() == ["create a", "create b"]
    assert announced == ["a", "b"]
    node = await cluster.node("b")
    assert node["metadata"]["labels"] == {
        "type": "kwok",
        "kubernetes.io/hostname": "b",
        "app.kubernetes.io/managed-by": OURS,
    }
    assert node["spec"]["taints"] == [TAINT]
    assert node["status"]["capacity"]["nvidia.com/gpu"] == "8"
    assert node["status"]["conditions"][1] == EXTRA


async def test_applying_again_sends_nothing(cluster: Cluster) -> None:
    given = node_set("a", "b", labels={"x": "1"}, annotations={"y": "2"}, taints=[TAINT], conditions=[EXTRA])
    await apply(cluster, given)
    cluster.writes()
    assert counts(await apply(cluster, given)) == (0, 0, 2, 0)
    assert cluster.calls == [("list", kind, "") for kind in ("Node", "ResourceSlice", "DeviceClass")]


async def test_each_kind_of_difference_is_counted(cluster: Cluster) -> None:
    await apply(cluster, node_set("same", "changes", "goes"))
    cluster.writes()
    wanted = NodeSet(batches=(*node_set("same").batches, *node_set("changes", "new", labels={"x": "1"}).batches))
    summary = await apply(cluster, wanted)
    assert str(summary) == "1 created, 1 changed, 1 unchanged, 1 removed"
    assert cluster.writes() == ["create new", "patch changes", "delete goes"]


async def test_prune_removes_only_ours(cluster: Cluster) -> None:
    await apply(cluster, node_set("a", "b"))
    await cluster.foreign("helms", release="virtual-nodes")
    await cluster.foreign("theirs")
    await cluster.create(NODES, {"metadata": {"name": "real"}})
    assert counts(await apply(cluster, node_set("a"), prune=False)) == (0, 0, 1, 0)
    assert await cluster.names() == ["a", "b", "helms", "real", "theirs"]
    assert counts(await apply(cluster, node_set("a"))) == (0, 0, 1, 1)
    assert await cluster.names() == ["a", "helms", "real", "theirs"]


async def test_no_nodes_at_all(cluster: Cluster) -> None:
    await apply(cluster, node_set("a"))
    assert counts(await apply(cluster, NodeSet(batches=()))) == (0, 0, 0, 1)
    assert await cluster.names() == []
    assert counts(await apply(cluster, NodeSet(batches=()))) == (0, 0, 0, 0)


async def test_comparing_writes_nothing_and_tells_what_would_be_done(cluster: Cluster) -> None:
    await apply(cluster, node_set("n-0", "n-1", "n-2", "old"))
    cluster.writes()
    wanted = node_set("n-0", "n-1", "n-2", "n-3", labels={"x": "1"})
    difference = (await compare(cluster, wanted)).nodes
    assert list(difference.lines()) == [
        "+ n-3",
        "~ n-0 … n-2 (3 nodes)",
        "    labels.x: none -> '1'",
        "- old",
    ]
    assert cluster.writes() == []


async def test_steps_tell_what_is_done(cluster: Cluster) -> None:
    listener = Listener()
    await apply(cluster, node_set("a", "b"), steps=listener.steps)
    ended = [event.message for event in listener.events if type(event).__name__ == "StepEnded"]
    assert ended[:2] == ["2 to create", "2 created, 0 changed, 0 unchanged, 0 removed"]


async def test_nodes_that_do_not_get_ready_are_named(cluster: Cluster) -> None:
    names = [f"n-{number}" for number in range(5)]
    with pytest.raises(
        DeadlineExceeded, match=r"5 of 5 nodes are not Ready after 0\.05 s \(n-0, n-1, n-2, …\)"
    ) as told:
        await apply(cluster, node_set(*names, ready=False), timeout=0.05)
    assert "KWOK" in told.value.hint
    assert await cluster.names() == names


async def test_only_written_nodes_are_waited_for(cluster: Cluster) -> None:
    with pytest.raises(DeadlineExceeded):
        await apply(cluster, node_set("a", ready=False), timeout=0.05)
    assert counts(await apply(cluster, node_set("a", ready=False), timeout=0.05)) == (0, 0, 1, 0)
