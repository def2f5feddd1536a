"""Whose an object in a cluster is: proven by a record and a label, never by who wrote it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from knavtool.engines.existing import installed
from knavtool.engines.existing.installation import Ref
from knavtool.engines.existing.installed import LABEL, Installed
from knavtool.engines.existing.ownership import ManagedObjects
from knavtool.kube.resource import CONFIG_MAPS, NAMESPACES
from support.memory import Memory

SENT = Ref("v1", "ConfigMap", "n", "sent")
OLD = Ref("v1", "ConfigMap", "n", "old")
MADE = Ref("v1", "Secret", "n", "made")
OURS = ManagedObjects.of(
    [
        Installed(name="a", version="1", order=1, objects=(SENT, OLD), unlabelled=(OLD,), makes=(MADE,)),
        Installed(name="b", version="1", order=2, release=("r", "n")),
    ]
)


@pytest.mark.parametrize(
    ("ref", "metadata", "ours"),
    [
        (SENT, {"labels": {LABEL: "a"}}, True),
        (SENT, {"labels": {LABEL: "b"}}, False),
        (SENT, {}, False),
        (OLD, {}, True),
        (MADE, {}, True),
        (Ref("v1", "ConfigMap", "n", "copy"), {"labels": {LABEL: "a"}}, False),
        (Ref("v1", "ConfigMap", "other", "sent"), {"labels": {LABEL: "a"}}, False),
        (Ref("v1", "ConfigMap", "n", "x"), {"managedFields": [{"manager": "knavtool"}, {"manager": "kubectl"}]}, False),
        (Ref("v1", "ConfigMap", "n", "x"), {"managedFields": []}, False),
    ],
)
def test_what_is_ours(ref: Ref, metadata: dict[str, Any], ours: bool) -> None:
    assert OURS.has({"metadata": {"name": ref.name, **metadata}}, ref) is ours


def test_what_two_components_have_is_that_of_the_last() -> None:
    records = [Installed(name=name, version="1", order=1, objects=(SENT,)) for name in ("a", "b")]
    item = {"metadata": {"labels": {LABEL: "b"}}}
    assert ManagedObjects.of(records).sent_by_us(item, SENT)
    assert not ManagedObjects.of(records[:1]).sent_by_us(item, SENT)


async def test_a_record_of_an_earlier_version_proves_its_objects_alone() -> None:
    gateway = Memory()
    before = {
        "name": "a",
        "version": "1",
        "order": 1,
        "objects": [list(SENT)],
        "workloads": [],
        "release": None,
        "digest": "",
        "work": None,
        "programs": ["manager"],
        "complete": True,
    }
    labels = {"knavtool/component": "a"}
    body = {"metadata": {"name": "component-a", "labels": labels}, "data": {"record.json": json.dumps(before)}}
    await gateway.create(CONFIG_MAPS, body, namespace="knavtool")
    record = (await installed.load(gateway))["a"]
    assert record == Installed(name="a", version="1", order=1, objects=(SENT,), unlabelled=(SENT,), complete=True)
    assert ManagedObjects.of([record]).sent_by_us({"metadata": {}}, SENT)
    await installed.save(gateway, record)
    assert (await installed.load(gateway))["a"] == record


async def test_a_namespace_that_is_there_does_not_become_ours() -> None:
    gateway = Memory()
    await gateway.create(NAMESPACES, {"metadata": {"name": "knavtool"}})
    await installed.prepare(gateway)
    assert "labels" not in (await gateway.get(NAMESPACES, "knavtool"))["metadata"]
    await gateway.delete(NAMESPACES, "knavtool")
    await installed.prepare(gateway)
    assert (await gateway.get(NAMESPACES, "knavtool"))["metadata"]["labels"] == {LABEL: "records"}
