"""Objects of components in a cluster: created when they are missing, removed, and waited for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from knavtool.catalogue.records import Kind, ProcessSpec
from knavtool.engines.local.components import manifests
from knavtool.engines.local.components.manifests import install, install_webhooks, remove_stale, withdraw
from knavtool.errors import DeadlineExceeded, EngineError, Forbidden
from knavtool.kube.resource import CUSTOM_RESOURCE_DEFINITIONS, LEASES, NAMESPACES, PRIORITY_CLASSES, STAGES, Resource
from knavtool.render.manifests import ManifestSet
from support.memory import Memory

WEBHOOKS = Resource(
    group="admissionregistration.k8s.io",
    version="v1",
    kind="MutatingWebhookConfiguration",
    plural="mutatingwebhookconfigurations",
    namespaced=False,
)
DEFINITION = f"{STAGES.plural}.{STAGES.group}"


def definition(**status: Any) -> dict[str, Any]:
    return {
        "apiVersion": CUSTOM_RESOURCE_DEFINITIONS.api_version,
        "kind": CUSTOM_RESOURCE_DEFINITIONS.kind,
        "metadata": {"name": DEFINITION},
        "spec": {
            "group": STAGES.group,
            "names": {"kind": STAGES.kind},
            "versions": [{"name": STAGES.version, "served": True}],
        },
        "status": {"conditions": [{"type": "Established", "status": "True"}], **status},
    }


def stage(name: str, text: str = "") -> dict[str, Any]:
    return {
        "apiVersion": STAGES.api_version,
        "kind": STAGES.kind,
        "metadata": {"name": name},
        "spec": {"text": text},
    }


@pytest.fixture
async def served() -> Memory:
    """A cluster in memory that serves stages."""
    memory = Memory([STAGES])
    await memory.create(CUSTOM_RESOURCE_DEFINITIONS, definition())
    return memory


async def test_installing_creates_what_is_missing_and_changes_nothing(served: Memory) -> None:
    wanted = ManifestSet.ordered([stage("one", "new"), stage("two", "new")])
    await served.create(STAGES, stage("one", "changed on purpose"))
    async with asyncio.timeout(20):
        assert len(await install(served, wanted, after=[DEFINITION])) == 1
        assert await install(served, wanted, after=[DEFINITION]) == []
    texts = {one["metadata"]["name"]: one["spec"]["text"] for one in await served.list(STAGES)}
    assert texts == {"one": "changed on purpose", "two": "new"}


async def test_objects_come_when_their_definitions_are_served() -> None:
    memory = Memory([STAGES])
    wanted = ManifestSet.ordered([stage("one"), definition()])
    async with asyncio.timeout(20):
        assert len(await install(memory, wanted)) == 2
    created = [kind for verb, kind, _ in memory.calls if verb in ("create", "apply")]
    assert created == [CUSTOM_RESOURCE_DEFINITIONS.kind, STAGES.kind]


def webhooks(*names: str, port: int = 9443) -> dict[str, Any]:
    return {
        "apiVersion": WEBHOOKS.api_version,
        "kind": WEBHOOKS.kind,
        "metadata": {"name": "made"},
        "webhooks": [
            {"name": name, "timeoutSeconds": 5, "clientConfig": {"url": f"https://127.0.0.1:{port}/{name}"}}
            for name in names
        ],
    }


async def test_webhooks_are_replaced_if_they_should_be_others() -> None:
    memory = Memory([WEBHOOKS])
    changed = webhooks("a", "b")
    changed["webhooks"][0]["timeoutSeconds"] = 9
    await memory.create(WEBHOOKS, changed)
    async with asyncio.timeout(20):
        await install_webhooks(memory, ManifestSet.ordered([webhooks("b", "a")]))
        (there,) = await memory.list(WEBHOOKS)
        # Somebody may have changed them on purpose.
        assert there["webhooks"][0]["timeoutSeconds"] == 9
        await install_webhooks(memory, ManifestSet.ordered([webhooks("b")]))
    (there,) = await memory.list(WEBHOOKS)
    assert [one["name"] for one in there["webhooks"]] == ["b"]


@pytest.mark.parametrize(
    ("config", "leads"), [({"url": "https://127.0.0.1:1/b"}, "https://127.0.0.1:1"), ({"service": {}}, "a Service")]
)
async def test_two_components_cannot_have_one_webhook_configuration(config: dict[str, Any], leads: str) -> None:
    memory = Memory([WEBHOOKS])
    theirs = webhooks("b")
    theirs["webhooks"][0]["clientConfig"] = config
    await memory.create(WEBHOOKS, theirs)
    with pytest.raises(EngineError) as raised:
        await install_webhooks(memory, ManifestSet.ordered([webhooks("a")]))
    assert raised.value.message == (
        f"MutatingWebhookConfiguration made exists already and leads to {leads}, not to https://127.0.0.1:9443"
    )
    (there,) = await memory.list(WEBHOOKS)
    assert there["webhooks"] == theirs["webhooks"]


async def test_a_refusal_is_raised(served: Memory) -> None:
    served.refuse["create", STAGES.kind] = Forbidden("no rights", status=403)
    with pytest.raises(Forbidden, match="no rights"):
        await install(served, ManifestSet.ordered([stage("one")]))


async def test_withdrawing_waits_until_objects_are_gone(served: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finalizer keeps an object; here the server deletes it when somebody else lets it go."""
    deleted = asyncio.Event()

    async def finalizing(resource: Any, name: str, **_: Any) -> None:
        deleted.set()

    objects = [stage("one"), stage("two")]
    for one in objects:
        await served.create(STAGES, one)
    delete = served.delete
    monkeypatch.setattr(served, "delete", finalizing)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        task = group.create_task(withdraw(served, objects))
        await deleted.wait()
        await delete(STAGES, "one")
        assert not task.done()
        await delete(STAGES, "two")


async def test_what_is_not_there_is_withdrawn_already(served: Memory) -> None:
    priority = {"apiVersion": PRIORITY_CLASSES.api_version, "kind": PRIORITY_CLASSES.kind, "metadata": {"name": "x"}}
    unknown = {"apiVersion": "none/v1", "kind": "None", "metadata": {"name": "x"}}
    async with asyncio.timeout(20):
        await withdraw(served, [stage("one"), priority, unknown])
        await withdraw(served, [])


async def test_what_does_not_go_is_named(served: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    async def finalizing(resource: Any, name: str, **_: Any) -> None: ...

    await served.create(STAGES, stage("one"))
    monkeypatch.setattr(served, "delete", finalizing)
    monkeypatch.setattr(manifests, "_GONE_WITHIN", 0.05)
    with pytest.raises(DeadlineExceeded, match=r"stages\.kwok\.x-k8s\.io one still there, kept by finalizers"):
        await withdraw(served, [stage("one")])


async def test_what_a_dead_process_left_is_removed(served: Memory) -> None:
    for namespace in ("here", "there"):
        await served.create(NAMESPACES, {"metadata": {"name": namespace}})
        await served.create(LEASES, {"metadata": {"name": "one"}}, namespace=namespace)
    stale = (Kind(api_version=LEASES.api_version, kind=LEASES.kind, namespace="here"),)
    await remove_stale(served, ProcessSpec(name="p", program="p", ready="http://127.0.0.1:1/", stale=stale))
    assert [one["metadata"]["namespace"] for one in await served.list(LEASES)] == ["there"]
