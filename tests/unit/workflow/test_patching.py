"""Patches and what takes them back: applied one after the other they leave an object as it was."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from knavtool.errors import Conflict
from knavtool.kube.resource import NODES
from knavtool.workflow.undoing.patching import Patch
from support.memory import Memory

NODE: dict[str, Any] = {
    "metadata": {"name": "n", "labels": {"a": "1", "b": "2"}},
    "spec": {"taints": [{"key": "x", "effect": "NoSchedule"}]},
    "status": {
        "capacity": {"cpu": "8"},
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Odd", "status": "False", "reason": "Fine"}],
    },
}
STATES: list[dict[str, Any]] = [
    {"spec": {"unschedulable": True}},
    {"metadata": {"labels": {"a": "9", "b": None, "new": "1"}}},
    {"metadata": {"annotations": {"x": "y"}}},
    {"spec": {"taints": []}},
    {"spec": {"taints": None}},
    {"spec": None},
    {"status": {"capacity": {"cpu": "4", "gpu": "8"}}},
    {"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "Broken"}]}},
    {"status": {"conditions": [{"type": "New", "status": "True"}, {"type": "Odd", "status": "True"}]}},
    {"metadata": {"labels": {"a": "2"}}, "spec": {"x": {"y": [1]}}, "status": {"conditions": []}},
]


@pytest.mark.parametrize("state", STATES)
async def test_there_and_back(state: dict[str, Any]) -> None:
    memory = Memory()
    await memory.create(NODES, copy.deepcopy(NODE))
    before = await memory.get(NODES, "n")
    patch = Patch.of(state, strategic=True)
    former = patch.reverse(before)
    await patch.send(memory, NODES, "n", namespace=None)
    after = await memory.get(NODES, "n")
    if state != STATES[-1] and state != {"spec": {"taints": []}}:
        assert _content(after) != _content(before)
    assert not patch.reverse(after), "the same patch again changes nothing"
    await former.send(memory, NODES, "n", namespace=None)
    assert _content(await memory.get(NODES, "n")) == _content(before)


def _content(node: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: node["metadata"].get(key) or {} for key in ("labels", "annotations")}
    conditions = sorted(node["status"]["conditions"], key=lambda item: str(item["type"]))
    return {**node, "metadata": metadata, "status": {**node["status"], "conditions": conditions}}


def test_what_others_change_stays() -> None:
    patch = Patch.of({"metadata": {"labels": {"a": "9"}, "annotations": {"mine": "1"}}})
    assert patch.reverse(NODE).main == {"metadata": {"labels": {"a": "1"}, "annotations": {"mine": None}}}


def test_what_is_so_already_is_no_change() -> None:
    state = {"metadata": {"labels": {"a": "1", "gone": None}}, "status": {"conditions": [{"type": "Ready"}]}}
    assert not Patch.of(state, strategic=True).reverse(NODE)


def test_apart_from_conditions_lists_are_whole() -> None:
    assert Patch.of({"status": {"conditions": []}}).reverse(NODE).status == {
        "status": {"conditions": NODE["status"]["conditions"]}
    }


async def test_another_object_of_that_name_is_not_patched() -> None:
    memory = Memory()
    await memory.create(NODES, copy.deepcopy(NODE))
    for state in ({"spec": {"unschedulable": True}}, {"status": {"capacity": {"cpu": "1"}}}):
        with pytest.raises(Conflict):
            await Patch.of(state).send(memory, NODES, "n", namespace=None, uid="another")
