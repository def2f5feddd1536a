"""Writing while others write too: conflicts, vanished nodes, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from knavtool.errors import ClusterError, Conflict, Forbidden, Unreachable
from knavtool.kube.resource import NODES
from knavtool.nodes.writing import summed
from support.nodes import EXTRA, TAINT, Busy, Cluster, apply, node_set

THEIRS = {"key": "theirs", "value": "1", "effect": "NoExecute"}


@pytest.fixture
def busy() -> Busy:
    return Busy()


@pytest.mark.parametrize("cpu", ["8", "16"])
async def test_a_taint_that_somebody_added_meanwhile_is_kept(busy: Busy, cpu: str) -> None:
    await apply(busy, node_set("a", resources={"cpu": "8"}))
    busy.before["patch"] = [lambda: Cluster.patch(busy, NODES, "a", {"spec": {"taints": [THEIRS]}})]
    await apply(busy, node_set("a", taints=[TAINT], resources={"cpu": cpu}))
    assert (await busy.node("a"))["spec"]["taints"] == [THEIRS, TAINT]


async def test_status_and_taints_change_together_without_a_conflict_of_our_own(busy: Busy) -> None:
    await apply(busy, node_set("a", taints=[TAINT]))
    busy.writes()
    await apply(busy, node_set("a", resources={"cpu": "1"}))
    assert busy.writes() == ["patch status a", "patch a"]
    node = await busy.node("a")
    assert "taints" not in node["spec"]
    assert node["status"]["capacity"] == {"cpu": "1"}


async def test_a_node_that_changes_all_the_time_is_given_up(busy: Busy) -> None:
    await apply(busy, node_set("a"))

    async def meddle() -> None:
        busy.before["patch"].append(meddle)
        value = {"metadata": {"labels": {"tick": str(len(busy.calls))}}}
        await Cluster.patch(busy, NODES, "a", value)

    busy.before["patch"] = [meddle]
    with pytest.raises(Conflict, match=r"1 of 1 nodes were refused \(a\): .* has been modified"):
        await apply(busy, node_set("a", taints=[TAINT]))


async def test_a_node_that_vanished_is_made_again(busy: Busy) -> None:
    await apply(busy, node_set("a", "b"))
    busy.before["patch"] = [lambda: Cluster.delete(busy, NODES, "a")]
    summary = await apply(busy, node_set("a", "b", labels={"x": "1"}))
    assert (summary.changed, await busy.names()) == (2, ["a", "b"])
    assert (await busy.node("a"))["metadata"]["labels"]["x"] == "1"


async def test_a_node_that_appeared_as_ours_is_brought_up_to_date(busy: Busy) -> None:
    # As after an interrupted call whose last requests arrive late.
    body = node_set("a", labels={"x": "old"})
    busy.before["create"] = [lambda: apply_alone(busy, body)]
    summary = await apply(busy, node_set("a", labels={"x": "new"}))
    assert summary.created == 1
    assert (await busy.node("a"))["metadata"]["labels"]["x"] == "new"


async def apply_alone(busy: Busy, nodes: Any) -> None:
    """What another call of knavtool makes."""
    from knavtool.nodes.desired import by_name, prepare
    from knavtool.nodes.ownership import owned

    for name, desired in by_name(prepare(owned(nodes))):
        await Cluster.create(busy, NODES, desired.batch.body(name))


@pytest.mark.parametrize("take", [False, True])
async def test_a_node_that_is_not_virtual_is_never_taken(busy: Busy, take: bool) -> None:
    await busy.create(NODES, {"metadata": {"name": "a"}})
    with pytest.raises(Conflict, match="node a exists and is not one of ours") as caught:
        await apply(busy, node_set("a", "b"), take_ownership=take)
    assert "namePrefix" in caught.value.hint
    assert "labels" not in (await busy.node("a"))["metadata"]
    assert await busy.names() == ["a", "b"]


async def test_a_vanished_node_need_not_be_removed(busy: Busy) -> None:
    await apply(busy, node_set("a", "b"))
    busy.before["create"] = [lambda: Cluster.delete(busy, NODES, "b")]
    assert (await apply(busy, node_set("a", "new"))).removed == 1
    assert await busy.names() == ["a", "new"]


async def test_a_node_of_another_uid_is_not_removed(busy: Busy) -> None:
    await apply(busy, node_set("a", "b"))

    async def renew() -> None:
        await Cluster.delete(busy, NODES, "b")
        await Cluster.create(busy, NODES, {"metadata": {"name": "b"}})

    busy.before["create"] = [renew]
    await apply(busy, node_set("a", "new"))
    assert await busy.names() == ["a", "b", "new"]


async def test_refused_nodes_are_named_and_the_rest_is_done(busy: Busy) -> None:
    await apply(busy, node_set("a", "b", "c", "gone", "stays"))
    for name in ("a", "c"):
        busy.refused["patch", name] = Forbidden(f'patch nodes {name}: nodes "{name}" is forbidden', status=403)
    busy.refused["delete", "stays"] = Forbidden("delete nodes stays: no", status=403)
    with pytest.raises(Forbidden) as caught:
        await apply(busy, node_set("a", "b", "c", "new", labels={"x": "1"}))
    assert caught.value.message == (
        '3 of 6 nodes were refused (a, c, stays): patch nodes a: nodes "a" is forbidden (and 1 with other messages)'
    )
    assert await busy.names() == ["a", "b", "c", "new", "stays"]
    assert (await busy.node("b"))["metadata"]["labels"]["x"] == "1"


async def test_a_condition_whose_removal_was_refused_is_removed_next_time(busy: Busy) -> None:
    await apply(busy, node_set("a", labels={"x": "1"}, conditions=[EXTRA]))
    busy.refused["patch status", "a"] = Forbidden("patch nodes a/status: no", status=403)
    with pytest.raises(Forbidden):
        await apply(busy, node_set("a", labels={"x": "2"}))
    busy.refused.clear()
    await apply(busy, node_set("a", labels={"x": "2"}))
    assert [one["type"] for one in (await busy.node("a"))["status"]["conditions"]] == ["Ready"]


async def test_an_unreachable_server_is_not_asked_for_the_rest(busy: Busy) -> None:
    await apply(busy, node_set("a", "b"))
    busy.refuse["create", "Node"] = Unreachable("create nodes new: nobody is there")
    busy.writes()
    with pytest.raises(Unreachable, match="nobody is there"):
        await apply(busy, node_set("new", "a", labels={"x": "1"}))
    assert busy.writes() == ["create new"]


def test_the_most_frequent_message_is_told() -> None:
    refused: list[tuple[str, ClusterError]] = [
        (f"n-{number}", Conflict(f"patch nodes n-{number}/status: changed", status=409, hint="try again"))
        for number in range(5)
    ]
    error = summed([("x", Forbidden("delete nodes x: no", status=403)), *refused], 10)
    assert type(error) is Conflict
    assert (error.status, error.hint) == (409, "try again")
    assert error.message == (
        "6 of 10 nodes were refused (n-0, n-1, n-2, …): patch nodes n-0/status: changed (and 1 with other messages)"
    )
