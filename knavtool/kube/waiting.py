"""All waiting: fold a watch into the last-seen state until it satisfies a predicate."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from knavtool.errors import DeadlineExceeded, NotFound
from knavtool.kube.connection.backoff import Backoff
from knavtool.kube.gateway import Change
from knavtool.kube.resource import CUSTOM_RESOURCE_DEFINITIONS
from knavtool.kube.watching import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest, Resource

    State = Mapping[tuple[str, str], Manifest]

T = TypeVar("T")
_SOON = 0.01


async def until(
    gateway: Gateway,
    resource: Resource,
    predicate: Callable[[State], T | None],
    *,
    timeout: float | None,
    namespace: str | None = None,
    label_selector: str = "",
    field_selector: str = "",
    describe: Callable[[State], str] | None = None,
) -> T:
    """Wait until `predicate` of the last-seen objects, by (namespace, name), gives something other than None.

    It is asked when the initial list is complete and after every batch of changes. After `timeout` seconds
    DeadlineExceeded is raised with what `describe` says of the state seen last.
    """
    state: dict[tuple[str, str], Manifest] = {}
    changed = asyncio.Event()

    async def follow() -> None:
        synced = False
        async for event in gateway.watch(
            resource, namespace=namespace, label_selector=label_selector, field_selector=field_selector
        ):
            if event.synced:
                synced = True
            elif event.change is Change.DELETED:
                state.pop(key_of(event.object), None)
            else:
                state[key_of(event.object)] = event.object
            if synced:
                changed.set()

    follower = asyncio.create_task(follow(), name=f"follow-{resource}")
    follower.add_done_callback(lambda _: changed.set())
    try:
        async with asyncio.timeout(timeout):
            while True:
                await changed.wait()
                changed.clear()
                if follower.done():
                    follower.result()
                if (found := predicate(state)) is not None:
                    return found
    except TimeoutError:
        seen = describe(state) if describe is not None else f"{len(state)} {resource} seen"
        raise DeadlineExceeded(f"not reached within {timeout:g} s: {seen}") from None
    finally:
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)


async def until_established(
    gateway: Gateway,
    definitions: Collection[str],
    *,
    timeout: float | None,
    heard: Callable[[str], None] = lambda _: None,
) -> None:
    """Wait until the kinds of these CustomResourceDefinitions, for example `stages.kwok.x-k8s.io`, are served.

    `heard` gets what is missing each time that changes.
    """
    if not definitions:
        return

    missing: dict[str, str] = {}

    def established(state: State) -> list[Manifest] | None:
        missing.clear()
        for name in sorted(definitions):
            if why := _not_established(state.get(("", name))):
                missing[name] = why
        heard(_describe(missing))
        return None if missing else [state["", name] for name in definitions]

    try:
        async with asyncio.timeout(timeout):
            found = await until(gateway, CUSTOM_RESOURCE_DEFINITIONS, established, timeout=None)
            missing.update((item["metadata"]["name"], "established, but not in discovery") for item in found)
            for item in found:
                heard(_describe(missing))
                spec = item["spec"]
                for version in (one["name"] for one in spec["versions"] if one["served"]):
                    await _until_discovered(gateway, f"{spec['group']}/{version}", spec["names"]["kind"])
                del missing[item["metadata"]["name"]]
    except TimeoutError:
        missing_text = _describe(missing) or ", ".join(sorted(definitions))
        raise DeadlineExceeded(
            f"not reached within {timeout:g} s: the API server does not serve {missing_text}"
        ) from None


def _describe(missing: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({why})" for name, why in missing.items())


def _not_established(definition: Manifest | None) -> str:
    """Why the kind of a definition is not served, "" if it is established."""
    if definition is None:
        return "there is no such definition"
    conditions = definition.get("status", {}).get("conditions") or ()
    if any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
        return ""
    reasons = [f"{one['type']}={one['status']}: {one.get('message') or one.get('reason') or ''}" for one in conditions]
    return "; ".join(text.rstrip(": ") for text in reasons) or "it has no conditions"


async def _until_discovered(gateway: Gateway, api_version: str, kind: str) -> None:
    """The server says that a definition is established a moment before it serves the kind, and tells nobody then."""
    backoff = Backoff(first=_SOON)
    while True:
        try:
            await gateway.discover(api_version, kind)
        except NotFound:
            await asyncio.sleep(backoff.next())
        else:
            return
