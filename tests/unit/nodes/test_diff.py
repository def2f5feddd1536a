"""Changes: each goes to the right place, is the smallest that does it, and spares what others wrote."""

from __future__ import annotations

from typing import Any

import pytest

from knavtool.kube.resource import NODES
from knavtool.nodes.compare import compare
from knavtool.nodes.desired import APPLIED
from knavtool.nodes.diff import Change
from knavtool.render.nodes import NodeSet
from support.nodes import EXTRA, TAINT, Cluster, apply, node_set

THEIRS = {"key": "theirs", "value": "1", "effect": "NoExecute"}


async def needed(cluster: Cluster, nodes: NodeSet) -> Change | None:
    """What has to be sent to the one node that differs."""
    difference = (await compare(cluster, nodes)).nodes
    assert not difference.created
    return next(iter(difference.changed), None)


def without_bookkeeping(main: dict[str, Any] | None) -> dict[str, Any]:
    """A patch without the note of what was written."""
    assert main is not None
    metadata = dict(main["metadata"])
    annotations = {key: value for key, value in metadata.pop("annotations", {}).items() if key != APPLIED}
    metadata |= {"annotations": annotations} if annotations else {}
    return {**main, "metadata": metadata}


async def test_labels_and_annotations_are_added_changed_and_dropped(cluster: Cluster) -> None:
    await apply(cluster, node_set("a", labels={"keep": "1", "other": "1", "drop": "1"}, annotations={"gone": "1"}))
    change = await needed(cluster, node_set("a", labels={"keep": "1", "other": "2"}, annotations={"new": "1"}))
    assert change is not None
    assert without_bookkeeping(change.main) == {
        "metadata": {"labels": {"other": "2", "drop": None}, "annotations": {"gone": None, "new": "1"}}
    }
    assert change.status is None
    assert change.lines == (
        "labels.other: '1' -> '2'",
        "labels.drop: '1' -> removed",
        "annotations.new: none -> '1'",
        "annotations.gone: '1' -> removed",
    )


async def test_what_others_added_stays(cluster: Cluster) -> None:
    await apply(cluster, node_set("a", labels={"ours": "1"}, taints=[TAINT]))
    await cluster.patch(
        NODES,
        "a",
        {
            "metadata": {"labels": {"theirs": "1"}, "annotations": {"theirs": "1"}},
            "spec": {"taints": [TAINT, THEIRS], "unschedulable": True, "podCIDR": "10.0.0.0/24"},
        },
    )
    assert await needed(cluster, node_set("a", labels={"ours": "1"}, taints=[TAINT])) is None
    await apply(cluster, node_set("a"))
    node = await cluster.node("a")
    assert node["metadata"]["labels"]["theirs"] == node["metadata"]["annotations"]["theirs"] == "1"
    assert "ours" not in node["metadata"]["labels"]
    assert node["spec"] == {"taints": [THEIRS], "unschedulable": True, "podCIDR": "10.0.0.0/24"}


async def test_what_others_changed_of_ours_is_set_again(cluster: Cluster) -> None:
    given = node_set("a", labels={"x": "1"})
    await apply(cluster, given)
    await cluster.patch(NODES, "a", {"metadata": {"labels": {"x": "2", "kubernetes.io/hostname": None}}})
    await apply(cluster, given)
    labels = (await cluster.node("a"))["metadata"]["labels"]
    assert (labels["x"], labels["kubernetes.io/hostname"]) == ("1", "a")


async def test_annotations_of_controllers_are_left_to_them(cluster: Cluster) -> None:
    await apply(cluster, node_set("a"))
    await cluster.patch(NODES, "a", {"metadata": {"annotations": {"node.alpha.kubernetes.io/ttl": "15"}}})
    assert await needed(cluster, node_set("a")) is None


@pytest.mark.parametrize("note", [None, "{", "[]", '{"labels": 1}'])
async def test_a_node_without_a_readable_note_loses_nothing(cluster: Cluster, note: str | None) -> None:
    await apply(cluster, node_set("a", labels={"x": "1"}))
    await cluster.patch(NODES, "a", {"metadata": {"annotations": {APPLIED: note}}})
    await apply(cluster, node_set("a"))
    assert (await cluster.node("a"))["metadata"]["labels"]["x"] == "1"
    assert await needed(cluster, node_set("a")) is None


async def test_taints_are_replaced_under_the_version_that_was_read(cluster: Cluster) -> None:
    await apply(cluster, node_set("a", taints=[TAINT]))
    version = (await cluster.node("a"))["metadata"]["resourceVersion"]
    other = {**TAINT, "value": "no"}
    change = await needed(cluster, node_set("a", taints=[other]))
    assert change is not None
    assert change.main == {"spec": {"taints": [other]}, "metadata": {"resourceVersion": version}}
    assert change.lines == ("taints: ['gpu:NoSchedule'] -> ['gpu:NoSchedule']",)
    dropped = await needed(cluster, node_set("a"))
    assert dropped is not None
    assert without_bookkeeping(dropped.main)["spec"] == {"taints": None}


async def test_resources_go_through_the_status(cluster: Cluster) -> None:
    await apply(cluster, node_set("a", resources={"cpu": "8", "nvidia.com/gpu": "8"}))
    cluster.writes()
    wanted = node_set("a", resources={"cpu": "16", "example.com/nic": "2"})
    change = await needed(cluster, wanted)
    assert change is not None
    assert change.main is None
    resources = {"cpu": "16", "example.com/nic": "2", "nvidia.com/gpu": None}
    assert change.status == {"status": {"capacity": resources, "allocatable": resources}}
    await apply(cluster, wanted)
    assert cluster.writes() == ["patch status a"]
    status = (await cluster.node("a"))["status"]
    assert status["capacity"] == status["allocatable"] == {"cpu": "16", "example.com/nic": "2"}


async def test_quantities_are_compared_as_numbers(cluster: Cluster) -> None:
    await apply(cluster, node_set("a", resources={"cpu": "1", "memory": "1Gi"}))
    assert await needed(cluster, node_set("a", resources={"cpu": "1000m", "memory": "1024Mi"})) is None


async def test_conditions_go_through_the_status(cluster: Cluster) -> None:
    await apply(cluster, node_set("a", conditions=[EXTRA, {**EXTRA, "type": "Old"}]))
    change = await needed(cluster, node_set("a", conditions=[{**EXTRA, "status": "True"}]))
    assert change is not None
    assert change.status == {
        "status": {"conditions": [{**EXTRA, "status": "True"}, {"type": "Old", "$patch": "delete"}]}
    }
    assert change.lines == ("conditions.Extra: 'False' -> 'True'", "conditions.Old: removed")
    await apply(cluster, node_set("a"))
    assert [item["type"] for item in (await cluster.node("a"))["status"]["conditions"]] == ["Ready"]


async def test_health_is_left_to_kwok(cluster: Cluster) -> None:
    await apply(cluster, node_set("a"))
    ready = {"type": "Ready", "status": "True", "reason": "Other", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}
    theirs = {"type": "Theirs", "status": "True"}
    await cluster.patch(NODES, "a", {"status": {"conditions": [ready, theirs]}}, subresource="status", strategic=True)
    assert await needed(cluster, node_set("a")) is None


async def test_times_of_a_condition_do_not_matter(cluster: Cluster) -> None:
    given = node_set("a", conditions=[EXTRA])
    await apply(cluster, given)
    seen = {"type": "Extra", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    await cluster.patch(NODES, "a", {"status": {"conditions": [seen]}}, subresource="status", strategic=True)
    assert await needed(cluster, given) is None
