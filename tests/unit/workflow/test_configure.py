"""Configure: every setting made as wanted whatever there was before, and undone by the cleanup."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import ClusterError, Conflict, DeadlineExceeded, Forbidden, NotFound
from knavtool.events import Event, Noted
from knavtool.kube.resource import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    DEVICE_CLASSES,
    NAMESPACES,
    NODES,
    PRIORITY_CLASSES,
    RESOURCE_SLICES,
    Manifest,
)
from knavtool.nodes.apply import apply_nodes
from knavtool.nodes.ownership import MADE_BY, NODES_APPLY, is_applied
from knavtool.render.nodes import STAMP, NodeBatch, NodeSet
from knavtool.workflow.task import NOTHING, Outcome, Rendering
from knavtool.workflow.undoing.cleanup import undo
from support.memory import Memory
from support.nodes import node_set, with_devices
from support.workflows import Bench, planned, task


class _Cluster:
    def __init__(self, directory: Path) -> None:
        self.memory = Memory()
        self.bench = Bench(self.memory)
        self.directory = directory

    async def configure(self, rendering: Rendering = NOTHING, *, lenient: bool = False, **params: Any) -> Outcome:
        configure = task("Configure", timeout=params.pop("timeout", "60s"), **params)
        built = planned(self.directory, configure, lenient=lenient)
        return await self.bench.run(built, "configure", rendering)

    async def clean(self) -> None:
        await undo(self.bench.ledger, self.memory, steps=self.bench.steps, timeout=60)

    async def names(self, resource: Any) -> list[str]:
        return sorted(one["metadata"]["name"] for one in await self.memory.list(resource))


@pytest.fixture
def cluster(tmp_path: Path) -> _Cluster:
    return _Cluster(tmp_path)


async def test_a_config_map_lives_in_a_namespace_of_the_same_task(cluster: _Cluster) -> None:
    outcome = await cluster.configure(
        configmaps=[{"name": "c", "namespace": "a", "op": "create", "data": {"x": 1}}],
        namespaces=[{"name": "a", "op": "create"}],
        priorityClasses=[{"name": "p", "op": "create", "value": 5}],
    )
    assert (await cluster.memory.get(CONFIG_MAPS, "c", namespace="a"))["data"] == {"x": "1"}
    created = [kind for verb, kind, _ in cluster.memory.calls if verb == "create"]
    assert created[0] == "Namespace"
    assert outcome.message == "namespace a created; priority class p created; config map a/c created"
    await cluster.clean()
    assert [await cluster.names(kind) for kind in (NAMESPACES, PRIORITY_CLASSES, CONFIG_MAPS)] == [[], [], []]
    deleted = [kind for verb, kind, _ in cluster.memory.calls if verb == "delete"]
    assert deleted == ["ConfigMap", "PriorityClass", "Namespace"]


async def test_what_existed_is_left_alone_and_spared_by_the_cleanup(cluster: _Cluster) -> None:
    await cluster.memory.create(NAMESPACES, {"metadata": {"name": "a"}})
    await cluster.memory.create(PRIORITY_CLASSES, {"metadata": {"name": "p"}, "value": 5})
    outcome = await cluster.configure(
        namespaces=[{"name": "a", "op": "create"}], priorityClasses=[{"name": "p", "op": "create", "value": 5}]
    )
    assert outcome.message == "namespace a existed; priority class p existed"
    await cluster.clean()
    assert [await cluster.names(kind) for kind in (NAMESPACES, PRIORITY_CLASSES)] == [["a"], ["p"]]


async def test_deleting_what_is_not_there_is_fine(cluster: _Cluster) -> None:
    outcome = await cluster.configure(
        namespaces=[{"name": "a", "op": "delete"}],
        priorityClasses=[{"name": "p", "op": "delete"}],
        configmaps=[{"name": "c", "namespace": "a", "op": "delete"}],
    )
    assert outcome.message.count("did not exist") == 3


async def test_another_priority_is_a_new_class_and_the_cleanup_brings_the_old_one_back(cluster: _Cluster) -> None:
    await cluster.memory.create(PRIORITY_CLASSES, {"metadata": {"name": "p"}, "value": 5, "description": "mine"})
    await cluster.configure(priorityClasses=[{"name": "p", "op": "create", "value": 7}])
    assert (await cluster.memory.get(PRIORITY_CLASSES, "p"))["value"] == 7
    await cluster.clean()
    live = await cluster.memory.get(PRIORITY_CLASSES, "p")
    assert (live["value"], live["description"]) == (5, "mine")


async def test_a_config_map_keeps_foreign_metadata_and_gets_its_data_back(cluster: _Cluster) -> None:
    before = {"metadata": {"name": "c", "labels": {"their": "label"}}, "data": {"old": "1", "both": "1"}}
    await cluster.memory.create(CONFIG_MAPS, before, namespace="a")
    await cluster.configure(
        configmaps=[{"name": "c", "namespace": "a", "op": "create", "data": {"both": 2, "new": "x"}}]
    )
    live = await cluster.memory.get(CONFIG_MAPS, "c", namespace="a")
    assert (live["data"], live["metadata"]["labels"]) == ({"both": "2", "new": "x"}, {"their": "label"})
    await cluster.clean()
    assert (await cluster.memory.get(CONFIG_MAPS, "c", namespace="a"))["data"] == {"old": "1", "both": "1"}


async def test_a_deleted_config_map_is_brought_back(cluster: _Cluster) -> None:
    await cluster.memory.create(CONFIG_MAPS, {"metadata": {"name": "c"}, "data": {"a": "1"}}, namespace="a")
    await cluster.configure(configmaps=[{"name": "c", "namespace": "a", "op": "delete"}])
    assert await cluster.names(CONFIG_MAPS) == []
    await cluster.clean()
    assert (await cluster.memory.get(CONFIG_MAPS, "c", namespace="a"))["data"] == {"a": "1"}


async def test_all_errors_are_told(cluster: _Cluster) -> None:
    cluster.memory.refuse["create", "PriorityClass"] = Forbidden("create priorityclasses: no", status=403)
    cluster.memory.refuse["create", "ConfigMap"] = Forbidden("create configmaps: no", status=403)
    with pytest.raises(ClusterError) as caught:
        await cluster.configure(
            priorityClasses=[{"name": "p", "op": "create", "value": 1}],
            configmaps=[{"name": "c", "namespace": "a", "op": "create"}],
        )
    assert caught.value.message.splitlines() == ["create priorityclasses: no", "create configmaps: no"]


def _nodes(*names: str, label: str = "1") -> Rendering:
    prototype = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": STAMP, "labels": {"type": "kwok", "kubernetes.io/hostname": STAMP, "x": label}},
        "spec": {"taints": [{"key": "t", "value": "v", "effect": "NoSchedule"}]},
        "status": {
            "capacity": {"cpu": "8"},
            "allocatable": {"cpu": "8"},
            "nodeInfo": {"kubeletVersion": "fake"},
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "Extra", "status": "False"}],
        },
    }
    return Rendering(nodes=NodeSet(batches=(NodeBatch(prototype=prototype, names=names),)))


async def test_the_list_of_nodes_replaces_earlier_ones_and_the_cleanup_brings_them_back(cluster: _Cluster) -> None:
    earlier = _nodes("a", "b").nodes
    assert earlier is not None
    await apply_nodes(cluster.memory, earlier, steps=cluster.bench.steps)
    was = {name: _stable(await cluster.memory.get(NODES, name)) for name in "ab"}
    outcome = await cluster.configure(_nodes("b", "c", label="2"))
    assert outcome.message == "nodes: 1 created, 1 changed, 0 unchanged, 1 removed"
    assert await cluster.names(NODES) == ["b", "c"]
    await cluster.clean()
    assert {name: _stable(await cluster.memory.get(NODES, name)) for name in "ab"} == was
    assert await cluster.names(NODES) == ["a", "b"]


async def apply_as_command(cluster: _Cluster, *names: str) -> None:
    """What `knavtool nodes apply` does with a file that names these nodes."""
    wanted = _nodes(*names).nodes
    assert wanted is not None
    await apply_nodes(cluster.memory, wanted.annotated(MADE_BY, NODES_APPLY), steps=cluster.bench.steps)


@pytest.mark.parametrize("restores", [False, True])
async def test_nodes_of_nodes_apply_are_not_taken_away_without_a_word(tmp_path: Path, restores: bool) -> None:
    cluster = _Cluster(tmp_path)
    said: list[Event] = []
    cluster.bench = Bench(cluster.memory, restores=restores, emit=said.append)
    await apply_as_command(cluster, "a-0", "a-1", "b-0", "c-0")
    for names in (["a-0", "d-0"], ["d-0"], ["e-0"]):
        await cluster.configure(_nodes(*names))
    warnings = [one.message for one in said if isinstance(one, Noted) and one.warning]
    if restores:
        assert warnings == []
        await cluster.clean()
        assert await cluster.names(NODES) == ["a-0", "a-1", "b-0", "c-0"]
        again = [is_applied(node) for node in await cluster.memory.list(NODES)]
        assert again == [True] * 4
        return
    # That a-0 stayed the first time did not make it a node of the workflow; d-0 is one.
    back = "`knavtool nodes apply -f FILE` brings them back"
    assert warnings == [
        f"removes nodes of `knavtool nodes apply` that are not listed here (3): a-1, b-0, c-0; {back}",
        f"removes nodes of `knavtool nodes apply` that are not listed here (1): a-0; {back}",
    ]


async def test_a_list_with_the_nodes_of_nodes_apply_changes_nothing(cluster: _Cluster) -> None:
    await apply_as_command(cluster, "a", "b")
    outcome = await cluster.configure(_nodes("a", "b"))
    assert outcome.message == "nodes: 0 created, 0 changed, 2 unchanged, 0 removed"


async def test_the_cleanup_brings_devices_back(cluster: _Cluster) -> None:
    earlier = with_devices(node_set("a", "b"), 128, 2)
    await apply_nodes(cluster.memory, earlier, steps=cluster.bench.steps)
    devices = {item["metadata"]["name"]: item["spec"] for item in await cluster.memory.list(RESOURCE_SLICES)}
    await cluster.configure(Rendering(nodes=with_devices(node_set("b", "c"), 8, driver="nic.example.com", named="b/c")))
    assert await cluster.names(RESOURCE_SLICES) == ["b-nic.example.com", "c-nic.example.com"]
    await cluster.clean()
    assert await cluster.names(DEVICE_CLASSES) == ["gpu.example.com"]
    again = {item["metadata"]["name"]: item["spec"] for item in await cluster.memory.list(RESOURCE_SLICES)}
    assert again == devices


def _stable(node: Manifest) -> Any:
    metadata = node["metadata"]
    return {"labels": metadata["labels"], "annotations": metadata["annotations"]}, node["spec"], node["status"]


async def test_a_run_without_cleanup_remembers_no_nodes(tmp_path: Path) -> None:
    cluster = _Cluster(tmp_path)
    cluster.bench.ledger.restores = False
    await cluster.configure(_nodes("a"))
    assert [kind for verb, kind, _ in cluster.memory.calls if verb == "list"].count("Node") == 1


async def test_a_node_of_somebody_else_is_not_taken(cluster: _Cluster) -> None:
    await cluster.memory.create(NODES, {"metadata": {"name": "a"}})
    with pytest.raises(Conflict):
        await cluster.configure(_nodes("a"))
    await cluster.clean()
    assert await cluster.names(NODES) == ["a"]


async def _deployment(memory: Memory, **status: Any) -> None:
    body = {"metadata": {"name": "d", "labels": {"app": "d"}, "generation": 2}, "spec": {"replicas": 2}}
    await memory.create(DEPLOYMENTS, body, namespace="x")
    await memory.patch(DEPLOYMENTS, "d", {"status": status}, namespace="x", subresource="status")


COMPLETE = {"observedGeneration": 2, "updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}


@pytest.mark.parametrize("which", [{"name": "d"}, {"labels": {"app": "d"}}])
async def test_a_restart_waits_for_the_rollout(cluster: _Cluster, which: dict[str, Any]) -> None:
    await _deployment(cluster.memory, observedGeneration=1, updatedReplicas=2, replicas=2, availableReplicas=2)
    restarting = asyncio.create_task(cluster.configure(deploymentRestarts=[{"namespace": "x", **which}]))
    for status in ({}, {"observedGeneration": 2, "updatedReplicas": 1}, {"updatedReplicas": 2, "replicas": 3}):
        await cluster.memory.patch(DEPLOYMENTS, "d", {"status": status}, namespace="x", subresource="status")
        for _ in range(30):
            await asyncio.sleep(0)
        assert not restarting.done()
    await cluster.memory.patch(DEPLOYMENTS, "d", {"status": COMPLETE}, namespace="x", subresource="status")
    assert (await restarting).message == "restarted x/d"
    annotations = (await cluster.memory.get(DEPLOYMENTS, "d", namespace="x"))["spec"]["template"]["metadata"]
    assert "kubectl.kubernetes.io/restartedAt" in annotations["annotations"]


async def test_a_rollout_that_takes_too_long_says_what_it_waits_for(cluster: _Cluster) -> None:
    await _deployment(cluster.memory, **COMPLETE | {"availableReplicas": 1})
    with pytest.raises(DeadlineExceeded, match="deployment x/d: 1 of 2 pods available"):
        await cluster.configure(timeout="50ms", deploymentRestarts=[{"namespace": "x", "name": "d"}])


async def test_a_rollout_that_gave_up_fails_at_once(cluster: _Cluster) -> None:
    stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "stuck"}
    await _deployment(cluster.memory, **COMPLETE | {"availableReplicas": 1, "conditions": [stuck]})
    with pytest.raises(ClusterError, match="is stuck: stuck"):
        await cluster.configure(deploymentRestarts=[{"namespace": "x", "name": "d"}])


async def test_nothing_to_restart_is_an_error(cluster: _Cluster) -> None:
    with pytest.raises(NotFound, match="no deployment in namespace x has the labels app=z"):
        await cluster.configure(deploymentRestarts=[{"namespace": "x", "labels": {"app": "z"}}])


async def test_nothing_to_restart_is_fine_to_knavigator(cluster: _Cluster) -> None:
    restarts = [{"namespace": "x", "labels": {"app": "z"}}]
    outcome = await cluster.configure(lenient=True, deploymentRestarts=restarts)
    assert outcome.passed


async def test_what_the_run_made_is_not_brought_back_whatever_becomes_of_it(cluster: _Cluster) -> None:
    config_map = {"name": "c", "namespace": "default"}
    priority = {"name": "p", "op": "create"}
    await cluster.configure(
        priorityClasses=[{**priority, "value": 1}, {**priority, "value": 1}, {**priority, "value": 2}],
        configmaps=[{**config_map, "op": "create"}],
    )
    await cluster.configure(priorityClasses=[{**priority, "value": 3}], configmaps=[{**config_map, "op": "delete"}])
    await cluster.clean()
    assert [await cluster.names(kind) for kind in (PRIORITY_CLASSES, CONFIG_MAPS)] == [[], []]
