"""What every gateway promises, asked of the in-memory one and of a real API server."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import aclosing, nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from knavtool.errors import AlreadyExists, Conflict, DeadlineExceeded, Invalid, NotFound, NotServed
from knavtool.kube.connecting import connect
from knavtool.kube.gateway import AGE_TOLERANCE, Change, Gateway, written_by_us
from knavtool.kube.resource import CONFIG_MAPS, JOBS, NAMESPACES, NODES, PRIORITY_CLASSES, Resource
from knavtool.kube.waiting import until
from support.memory import Memory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.cluster)])
async def gateway(request: pytest.FixtureRequest) -> AsyncIterator[Gateway]:
    if request.param == "memory":
        yield Memory()
        return
    plane = request.getfixturevalue("control_plane")
    async with connect(kubeconfig=plane.kubeconfig, context=plane.context) as client:
        yield client


@pytest.fixture
async def namespace(gateway: Gateway) -> AsyncIterator[str]:
    name = f"contract-{uuid.uuid4().hex[:8]}"
    await gateway.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    await gateway.delete(NAMESPACES, name)


def config_map(name: str, data: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data or {}}


def node(name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, **metadata}}


async def test_create_then_get(gateway: Gateway, namespace: str) -> None:
    created = await gateway.create(CONFIG_MAPS, config_map("a", {"k": "v"}), namespace=namespace)
    found = await gateway.get(CONFIG_MAPS, "a", namespace=namespace)
    assert found["data"] == {"k": "v"}
    assert found["metadata"]["namespace"] == namespace
    assert created["metadata"]["uid"] == found["metadata"]["uid"]


async def test_who_made_an_object_and_when(gateway: Gateway, namespace: str) -> None:
    before = await gateway.get(NAMESPACES, namespace)
    began = time.monotonic()
    await gateway.create(CONFIG_MAPS, config_map("a", {"k": "v"}), namespace=namespace)
    made = await gateway.get(CONFIG_MAPS, "a", namespace=namespace)
    assert written_by_us(made)
    assert -AGE_TOLERANCE <= gateway.age(made) <= time.monotonic() - began + AGE_TOLERANCE
    assert gateway.age(before) >= gateway.age(made)


async def test_create_takes_encoded_json(gateway: Gateway, namespace: str) -> None:
    body = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"raw"},"data":{"k":"v"}}'
    await gateway.create(CONFIG_MAPS, body, namespace=namespace)
    assert (await gateway.get(CONFIG_MAPS, "raw", namespace=namespace))["data"] == {"k": "v"}


async def test_create_twice_is_refused(gateway: Gateway, namespace: str) -> None:
    await gateway.create(CONFIG_MAPS, config_map("a"), namespace=namespace)
    with pytest.raises(AlreadyExists, match="a"):
        await gateway.create(CONFIG_MAPS, config_map("a"), namespace=namespace)


async def test_create_without_a_name_is_refused(gateway: Gateway, namespace: str) -> None:
    with pytest.raises(Invalid, match="name"):
        await gateway.create(
            CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}, namespace=namespace
        )


async def test_generate_name(gateway: Gateway, namespace: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "made-"}}
    created = await gateway.create(CONFIG_MAPS, body, namespace=namespace)
    assert created["metadata"]["name"].startswith("made-")
    assert len(created["metadata"]["name"]) > len("made-")


async def test_get_of_nothing(gateway: Gateway, namespace: str) -> None:
    with pytest.raises(NotFound, match="nothing"):
        await gateway.get(CONFIG_MAPS, "nothing", namespace=namespace)


async def test_list_by_label_and_in_pages(gateway: Gateway, namespace: str) -> None:
    for number in range(5):
        labels = {"parity": "even" if number % 2 == 0 else "odd"}
        await gateway.create(CONFIG_MAPS, config_map(f"c{number}", labels=labels), namespace=namespace)
    found = await gateway.list(CONFIG_MAPS, namespace=namespace, label_selector="parity=even")
    assert sorted(item["metadata"]["name"] for item in found) == ["c0", "c2", "c4"]
    pages = gateway.pages(CONFIG_MAPS, namespace=namespace, label_selector="parity", limit=2)
    sizes = [len(page) async for page in pages]
    assert sum(sizes) == 5
    assert max(sizes) == 2


async def test_metadata_only_leaves_the_rest_out(gateway: Gateway, namespace: str) -> None:
    await gateway.create(CONFIG_MAPS, config_map("a", {"k": "v"}), namespace=namespace)
    async for page in gateway.pages(
        CONFIG_MAPS, namespace=namespace, field_selector="metadata.name=a", metadata_only=True
    ):
        assert [item["metadata"]["name"] for item in page] == ["a"]
        assert "data" not in page[0]


async def test_merge_patch_sets_and_removes(gateway: Gateway, namespace: str) -> None:
    await gateway.create(
        CONFIG_MAPS, config_map("a", {"keep": "1", "drop": "2"}, labels={"x": "1"}), namespace=namespace
    )
    await gateway.patch(
        CONFIG_MAPS,
        "a",
        {"data": {"drop": None, "new": "3"}, "metadata": {"labels": {"x": None, "y": "2"}}},
        namespace=namespace,
    )
    found = await gateway.get(CONFIG_MAPS, "a", namespace=namespace)
    assert found["data"] == {"keep": "1", "new": "3"}
    assert found["metadata"]["labels"] == {"y": "2"}


async def test_patch_of_a_version_that_is_not_the_last_is_refused(gateway: Gateway, namespace: str) -> None:
    await gateway.create(CONFIG_MAPS, config_map("a", {"k": "1"}), namespace=namespace)
    read = (await gateway.get(CONFIG_MAPS, "a", namespace=namespace))["metadata"]["resourceVersion"]
    first = {"metadata": {"resourceVersion": read}, "data": {"k": "2"}}
    written = await gateway.patch(CONFIG_MAPS, "a", first, namespace=namespace)
    with pytest.raises(Conflict):
        await gateway.patch(CONFIG_MAPS, "a", first | {"data": {"k": "3"}}, namespace=namespace)
    last = {"metadata": {"resourceVersion": written["metadata"]["resourceVersion"]}, "data": {"k": "4"}}
    await gateway.patch(CONFIG_MAPS, "a", last, namespace=namespace)
    assert (await gateway.get(CONFIG_MAPS, "a", namespace=namespace))["data"] == {"k": "4"}


async def test_patch_of_another_object_of_that_name_is_refused(gateway: Gateway, namespace: str) -> None:
    made = await gateway.create(CONFIG_MAPS, config_map("a", {"k": "1"}), namespace=namespace)
    for uid, refused in ((str(uuid.uuid4()), True), (made["metadata"]["uid"], False)):
        patch = {"metadata": {"uid": uid}, "data": {"k": uid}}
        with pytest.raises((Conflict, Invalid)) if refused else nullcontext():
            await gateway.patch(CONFIG_MAPS, "a", patch, namespace=namespace)
    assert (await gateway.get(CONFIG_MAPS, "a", namespace=namespace))["data"] == {"k": made["metadata"]["uid"]}


async def test_some_kinds_have_no_status(gateway: Gateway, namespace: str) -> None:
    await gateway.create(CONFIG_MAPS, config_map("a"), namespace=namespace)
    with pytest.raises(NotFound):
        await gateway.patch(CONFIG_MAPS, "a", {}, namespace=namespace, subresource="status")


async def test_patch_of_nothing(gateway: Gateway, namespace: str) -> None:
    with pytest.raises(NotFound):
        await gateway.patch(CONFIG_MAPS, "nothing", {"data": {"a": "b"}}, namespace=namespace)


async def test_apply_creates_then_changes(gateway: Gateway, namespace: str) -> None:
    await gateway.apply(CONFIG_MAPS, "a", config_map("a", {"k": "1"}), namespace=namespace)
    await gateway.apply(CONFIG_MAPS, "a", config_map("a", {"k": "2"}), namespace=namespace)
    assert (await gateway.get(CONFIG_MAPS, "a", namespace=namespace))["data"] == {"k": "2"}


async def test_delete_says_whether_it_was_there(gateway: Gateway, namespace: str) -> None:
    await gateway.create(CONFIG_MAPS, config_map("a"), namespace=namespace)
    assert await gateway.delete(CONFIG_MAPS, "a", namespace=namespace) is True
    assert await gateway.delete(CONFIG_MAPS, "a", namespace=namespace) is False


async def test_delete_spares_another_object_of_that_name(gateway: Gateway, namespace: str) -> None:
    await gateway.create(CONFIG_MAPS, config_map("a"), namespace=namespace)
    assert await gateway.delete(CONFIG_MAPS, "a", namespace=namespace, uid=str(uuid.uuid4())) is False
    await gateway.get(CONFIG_MAPS, "a", namespace=namespace)


async def test_delete_collection_by_label(gateway: Gateway, namespace: str) -> None:
    await gateway.create(CONFIG_MAPS, config_map("a", labels={"go": "1"}), namespace=namespace)
    await gateway.create(CONFIG_MAPS, config_map("b"), namespace=namespace)
    await gateway.delete_collection(CONFIG_MAPS, namespace=namespace, label_selector="go=1")
    left = await gateway.list(CONFIG_MAPS, namespace=namespace)
    names = {item["metadata"]["name"] for item in left}
    assert "b" in names
    assert "a" not in names


async def test_status_is_its_own_subresource(gateway: Gateway) -> None:
    name = f"contract-{uuid.uuid4().hex[:8]}"
    await gateway.create(NODES, {**node(name), "status": {"capacity": {"cpu": "4"}, "allocatable": {"cpu": "4"}}})
    try:
        await gateway.patch(NODES, name, {"status": {"capacity": {"cpu": "8"}}})
        assert (await gateway.get(NODES, name))["status"]["capacity"]["cpu"] == "4"
        # On a real cluster KWOK makes a new node Ready meanwhile, and may write back what it read before.
        for _ in range(20):
            await gateway.patch(
                NODES, name, {"status": {"capacity": {"cpu": "8"}, "allocatable": {"cpu": "8"}}}, subresource="status"
            )
            seen = (await gateway.get(NODES, name))["status"]["capacity"]["cpu"]
            if seen == "8":
                break
        assert seen == "8"
        for kind, status in (("Broken", "True"), ("Odd", "True"), ("Broken", "False")):
            condition = {"type": kind, "status": status, "reason": "Test", "message": ""}
            await gateway.patch(
                NODES, name, {"status": {"conditions": [condition]}}, subresource="status", strategic=True
            )
        conditions = (await gateway.get(NODES, name))["status"]["conditions"]
        assert {item["type"]: item["status"] for item in conditions if item["type"] in ("Broken", "Odd")} == {
            "Broken": "False",
            "Odd": "True",
        }
        plain = {"status": {"conditions": [{"type": "Broken", "status": "False", "reason": None}]}}
        await gateway.patch(NODES, name, plain, subresource="status", strategic=True)
        (broken,) = (
            item for item in (await gateway.get(NODES, name))["status"]["conditions"] if item["type"] == "Broken"
        )
        assert "reason" not in broken
        gone = {"status": {"conditions": [{"type": "Odd", "$patch": "delete"}]}}
        await gateway.patch(NODES, name, gone, subresource="status", strategic=True)
        left = {item["type"] for item in (await gateway.get(NODES, name))["status"]["conditions"]}
        assert "Broken" in left
        assert "Odd" not in left
    finally:
        await gateway.delete(NODES, name)


async def test_discover(gateway: Gateway) -> None:
    assert await gateway.discover("batch/v1", "Job") == JOBS
    assert await gateway.discover("scheduling.k8s.io/v1", "PriorityClass") == PRIORITY_CLASSES
    with pytest.raises(NotFound, match=r"example\.com/v1"):
        await gateway.discover("example.com/v1", "Nothing")


async def test_all_kinds_are_told_with_what_can_be_done(gateway: Gateway) -> None:
    served = await gateway.kinds()
    known = {one.resource: one for one in served.kinds}
    assert served.missing == ()
    assert len(known) == len(served.kinds)
    assert {JOBS, CONFIG_MAPS, NODES, PRIORITY_CLASSES} <= known.keys()
    assert {"get", "list", "watch", "create", "delete"} <= known[JOBS].verbs
    assert ["status" in known[one].subresources for one in (JOBS, NODES, CONFIG_MAPS)] == [True, True, False]


async def test_a_kind_of_another_version_is_named(gateway: Gateway) -> None:
    with pytest.raises(NotServed, match=r"it serves scheduling\.k8s\.io/v1$") as caught:
        await gateway.discover("scheduling.k8s.io/v1alpha9", "PriorityClass")
    assert caught.value.served_as == ("scheduling.k8s.io/v1",)
    with pytest.raises(NotServed) as caught:
        await gateway.discover("scheduling.k8s.io/v1alpha9", "Nothing")
    assert caught.value.served_as == ()


async def test_a_dry_run_stores_nothing(gateway: Gateway, namespace: str) -> None:
    body = config_map("", {"k": "v"}, labels={"a": "b"})
    body["metadata"] = {"generateName": "dry-", "labels": {"a": "b"}}
    answer = await gateway.dry_run_create(CONFIG_MAPS, body, namespace=namespace)
    assert (answer["data"], answer["metadata"]["labels"]) == ({"k": "v"}, {"a": "b"})
    assert await gateway.list(CONFIG_MAPS, namespace=namespace, label_selector="a=b") == []


async def test_watch_lists_then_syncs_then_follows(gateway: Gateway, namespace: str) -> None:
    await gateway.create(CONFIG_MAPS, config_map("before", labels={"w": "1"}), namespace=namespace)
    seen: list[tuple[Change | None, str]] = []
    async with (
        asyncio.timeout(20),
        aclosing(gateway.watch(CONFIG_MAPS, namespace=namespace, label_selector="w=1")) as events,
    ):
        async for event in events:
            seen.append((event.change, event.object.get("metadata", {}).get("name", "")))
            if event.synced:
                await gateway.create(CONFIG_MAPS, config_map("after", labels={"w": "1"}), namespace=namespace)
                await gateway.create(CONFIG_MAPS, config_map("other"), namespace=namespace)
                await gateway.patch(CONFIG_MAPS, "after", {"data": {"x": "y"}}, namespace=namespace)
                await gateway.delete(CONFIG_MAPS, "before", namespace=namespace)
            if event.change is Change.DELETED:
                break
    assert seen == [
        (Change.ADDED, "before"),
        (None, ""),
        (Change.ADDED, "after"),
        (Change.MODIFIED, "after"),
        (Change.DELETED, "before"),
    ]


async def test_until_sees_the_change_that_satisfies_it(gateway: Gateway, namespace: str) -> None:
    async def make() -> None:
        for name in ("a", "b"):
            await gateway.create(CONFIG_MAPS, config_map(name, labels={"u": "1"}), namespace=namespace)

    task = asyncio.create_task(make())
    found = await until(
        gateway,
        CONFIG_MAPS,
        lambda state: sorted(name for _, name in state) if len(state) == 2 else None,
        timeout=20,
        namespace=namespace,
        label_selector="u=1",
    )
    await task
    assert found == ["a", "b"]


async def test_until_says_what_it_saw_last(gateway: Gateway, namespace: str) -> None:
    with pytest.raises(DeadlineExceeded, match=r"within 0\.2 s: nothing but 0"):
        await until(
            gateway,
            CONFIG_MAPS,
            lambda _: None,
            timeout=0.2,
            namespace=namespace,
            label_selector="u=1",
            describe=lambda state: f"nothing but {len(state)}",
        )


async def test_access_is_asked_for_without_doing_anything(gateway: Gateway, namespace: str) -> None:
    everything = Resource("*", "*", "*", "*", namespaced=True)
    assert await gateway.may("*", everything)
    assert await gateway.may("patch", NODES, subresource="status")
    assert await gateway.may("create", JOBS, namespace=namespace)
