"""Waiting for objects to be gone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from knavtool.kube.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest, Resource


class Known(Protocol):
    """An object that was made or submitted."""

    @property
    def resource(self) -> Resource:
        """Its kind."""

    @property
    def namespace(self) -> str | None:
        """Its namespace, None for a cluster-scoped kind."""

    @property
    def uid(self) -> str:
        """What tells it from a later object of the same name."""

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name)."""


async def until_gone(
    gateway: Gateway,
    objects: Collection[Known],
    *,
    timeout: float | None,
    gone: Callable[[Known], None] = lambda _: None,
) -> None:
    """Wait until none of the objects exists; `gone` is told of each once. Raises DeadlineExceeded."""
    places: dict[tuple[Resource, str | None], list[Known]] = {}
    for item in objects:
        places.setdefault((item.resource, item.namespace), []).append(item)
    async with asyncio.TaskGroup() as group:
        for (resource, namespace), there in places.items():
            group.create_task(
                _until_gone(gateway, resource, namespace, there, timeout, gone), name=f"gone-{resource}-{namespace}"
            )


async def _until_gone(
    gateway: Gateway,
    resource: Resource,
    namespace: str | None,
    objects: list[Known],
    timeout: float | None,
    gone: Callable[[Known], None],
) -> None:
    left = {item.key: item for item in objects}

    def none_left(state: Mapping[tuple[str, str], Manifest]) -> bool | None:
        for key in [key for key, item in left.items() if not _same(state.get(key), item)]:
            gone(left.pop(key))
        return True if not left else None

    def describe(_: Mapping[tuple[str, str], Manifest]) -> str:
        some = ", ".join("/".join(filter(None, key)) for key in list(left)[:3]) + (", …" if len(left) > 3 else "")
        return f"{len(left)} {resource} still exist ({some})"

    only = f"metadata.name={objects[0].key[1]}" if len(objects) == 1 else ""
    await until(
        gateway, resource, none_left, timeout=timeout, namespace=namespace, field_selector=only, describe=describe
    )


def _same(live: Manifest | None, item: Known) -> bool:
    return live is not None and (not item.uid or live["metadata"]["uid"] == item.uid)
