"""UpdateNodes on nodes in memory: which are chosen, what is sent, what the cleanup gives back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from knavtool.errors import ClusterError, Forbidden, NotFound
from knavtool.events import Noted
from knavtool.kube.resource import NODES
from knavtool.nodes.ownership import MANAGED_BY, OURS
from knavtool.workflow.task import Outcome
from knavtool.workflow.undoing.cleanup import undo
from knavtool.workflow.undoing.ledger import Nodes
from support.nodes import Cluster
from support.workflows import Bench, faults, planned, task

CORDON = {"spec": {"unschedulable": True}}


class _Nodes(Cluster):
    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.said: list[str] = []
        self.bench = Bench(self, emit=lambda event: self.said.append(getattr(event, "message", "")))
        self.directory = directory

    async def make(self, name: str, *, ours: bool = True, **labels: str) -> None:
        owner = {MANAGED_BY: OURS} if ours else {}
        ready = {"type": "Ready", "status": "True"}
        body = {
            "metadata": {"name": name, "labels": {**owner, **labels}},
            "status": {"capacity": {"cpu": "8"}, "conditions": [ready]},
        }
        await self.create(NODES, body)
        self.calls.clear()

    async def update(
        self, *selectors: dict[str, str], state: Any = CORDON, lenient: bool = False, **params: Any
    ) -> Outcome:
        given = task("UpdateNodes", "it", selectors=list(selectors), state=state, **params)
        return await self.bench.run(planned(self.directory, given, lenient=lenient), "it")

    async def cordoned(self) -> list[str]:
        return [one["metadata"]["name"] for one in await self.list(NODES) if one.get("spec", {}).get("unschedulable")]

    async def clean(self) -> None:
        await undo(self.bench.ledger, self, steps=self.bench.steps, timeout=60)


@pytest.fixture
async def nodes(tmp_path: Path) -> _Nodes:
    made = _Nodes(tmp_path)
    for number in range(4):
        await made.make(f"n{number}", rack=str(number // 2), id=f"id{number}")
    return made


async def test_labels_of_a_selector_are_all_wanted_and_one_selector_is_enough(nodes: _Nodes) -> None:
    outcome = await nodes.update({"rack": "0", "id": "id1"}, {"rack": "1"}, {"id": "id3"})
    assert outcome.message == "3 Nodes changed"
    assert await nodes.cordoned() == ["n1", "n2", "n3"]
    assert [name for verb, _, name in nodes.calls if verb == "patch"] == ["n1", "n2", "n3"]


async def test_only_nodes_that_differ_are_patched(nodes: _Nodes) -> None:
    await nodes.update({"id": "id0"})
    nodes.calls.clear()
    outcome = await nodes.update({"rack": "0"})
    assert outcome.message == "1 Node changed, 1 unchanged"
    assert outcome.data == {"matched": 2, "changed": 1, "unchanged": 1}
    assert nodes.writes() == ["patch n1"]
    assert (await nodes.update({"rack": "0"})).message == "no node changed, 2 unchanged"


async def test_conditions_are_merged_by_type_and_the_cleanup_gives_everything_back(nodes: _Nodes) -> None:
    before = [await nodes.node(name) for name in ("n0", "n1")]
    broken = [{"type": "Ready", "status": "False"}, {"type": "GpuLost", "status": "True"}]
    state = {
        "metadata": {"labels": {"rack": None, "odd": "1"}, "annotations": {"a": "b"}},
        "spec": {"unschedulable": True, "taints": [{"key": "x", "effect": "NoExecute"}]},
        "status": {"capacity": {"cpu": "4", "gpu": "1"}, "conditions": broken},
    }
    await nodes.update({"rack": "0"}, state=state)
    changed = await nodes.node("n0")
    assert changed["status"] == {"capacity": {"cpu": "4", "gpu": "1"}, "conditions": broken}
    assert nodes.writes() == ["patch n0", "patch status n0", "patch n1", "patch status n1"]
    await nodes.clean()
    for node in before:
        after = await nodes.node(node["metadata"]["name"])
        assert (after["metadata"]["labels"], after["status"]) == (node["metadata"]["labels"], node["status"])
        assert not after.get("spec")
        assert not after["metadata"].get("annotations")
    assert "2 Nodes are as before" in nodes.said


async def test_two_changes_are_taken_back_in_reverse_order(nodes: _Nodes) -> None:
    for value in ("1", "2"):
        await nodes.update({"id": "id0"}, state={"metadata": {"labels": {"id": "id0", "x": value}}})
    await nodes.clean()
    assert "x" not in (await nodes.node("n0"))["metadata"]["labels"]


async def test_nodes_that_the_run_made_are_not_restored_before_they_are_removed(nodes: _Nodes) -> None:
    nodes.bench.ledger.group("nodes").nodes = Nodes(created={"n0"})
    await nodes.update({"rack": "0"})
    assert [one.name for group in nodes.bench.ledger.groups for one in group.changed] == ["n1"]


async def test_nodes_of_others_are_left_alone_unless_allowed(nodes: _Nodes) -> None:
    await nodes.make("real", ours=False, rack="0")
    await nodes.update({"rack": "0"})
    assert await nodes.cordoned() == ["n0", "n1"]
    await nodes.update({"rack": "0"}, allowRealNodes=True)
    assert await nodes.cordoned() == ["n0", "n1", "real"]
    await nodes.clean()
    assert await nodes.cordoned() == []


async def test_no_match_tells_what_comes_near(nodes: _Nodes) -> None:
    await nodes.make("real", ours=False, rack="9")
    with pytest.raises(NotFound) as caught:
        await nodes.update({"rack": "9", "rak": "1"}, {"rack": "0", "id": "id3"}, {"rack": "9"})
    assert caught.value.message.splitlines() == [
        "none of the 4 nodes that this tool made has the labels",
        "  rack=9, rak=1",
        "    rack is 0 (2), 1 (2)",
        "    no node has the label rak; did you mean 'rack'?",
        "  rack=0, id=id3",
        "    there are nodes with each of them, but none with all: rack=0 (2), id=id3 (1)",
        "  rack=9",
        "    rack is 0 (2), 1 (2)",
    ]
    assert caught.value.hint == "allowRealNodes: true chooses among the nodes of others too, 1 of them"
    assert nodes.writes() == []


async def test_what_is_no_fault_to_knavigator_is_a_warning(nodes: _Nodes) -> None:
    outcome = await nodes.update({"rack": "9"}, lenient=True)
    assert outcome.message == "no node changed"
    assert any("rack is 0 (2), 1 (2)" in message for message in nodes.said)
    outcome = await nodes.update({"rack": "1"}, state={**CORDON, "data": {"a": "b"}}, lenient=True)
    assert await nodes.cordoned() == ["n2", "n3"]
    assert not any("data" in node for node in await nodes.list(NODES))


async def test_no_nodes_at_all(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there are no nodes that this tool made"):
        await _Nodes(tmp_path).update({"a": "b"})
    with pytest.raises(NotFound, match=r"there are no nodes$"):
        await _Nodes(tmp_path).update({"a": "b"}, allowRealNodes=True)


async def test_what_was_refused_is_told(nodes: _Nodes) -> None:
    nodes.refuse["patch", "Node"] = Forbidden("patch nodes n0: no", status=403)
    with pytest.raises(Forbidden, match=r"2 of 2 nodes were refused \(n0, n1\)"):
        await nodes.update({"rack": "0"})


async def test_a_cleanup_goes_on_after_a_refusal(nodes: _Nodes) -> None:
    await nodes.update({"rack": "0"})
    nodes.refuse["patch", "Node"] = Forbidden("patch nodes: no", status=403)
    with pytest.raises(ClusterError, match=r"Node n1: patch nodes: no\nNode n0: patch nodes: no"):
        await nodes.clean()


async def test_a_node_that_is_gone_needs_nothing_taken_back(nodes: _Nodes) -> None:
    await nodes.update({"rack": "0"})
    await nodes.delete(NODES, "n0")
    await nodes.clean()
    assert await nodes.cordoned() == []
    assert "Node n0 is gone, so its changes are not reverted" in nodes.said


async def test_parameters_of_old_files_are_told(tmp_path: Path) -> None:
    told: list[Any] = []
    nodes = _Nodes(tmp_path)
    nodes.bench = Bench(nodes, emit=told.append)
    await nodes.make("n")
    await nodes.update({MANAGED_BY: OURS}, refTaskId="x", index=0, timeout="10s")
    (note,) = [event for event in told if isinstance(event, Noted)]
    assert note.message == "refTaskId and index mean nothing here: nodes are chosen by selectors alone"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"kind": "Pod"}, "a node's kind is 'Node'"),
        ({"apiVersion": "v2", **CORDON}, "a node's apiVersion is 'v1'"),
        ({"data": {}}, "a node has no field 'data', only metadata, spec, status"),
        ({"metadata": {"name": "x"}}, "the name of a node cannot be changed"),
        ({"kind": "Node"}, "names no field that can be changed"),
    ],
)
def test_faults(tmp_path: Path, state: dict[str, Any], said: str) -> None:
    found = faults(tmp_path, task("UpdateNodes", selectors=[{"a": "b"}], state=state))
    assert any(said in violation.message for violation in found), found
