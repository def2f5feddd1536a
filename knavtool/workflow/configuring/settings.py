"""What a Configure task can set, each made the way it is wanted, whatever there was before."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

from knavtool.documents.values import text
from knavtool.errors import AlreadyExists, NotFound
from knavtool.kube.concurrency import for_each
from knavtool.kube.resource import CONFIG_MAPS, NAMESPACES, PRIORITY_CLASSES
from knavtool.kube.waiting import until
from knavtool.nodes.apply import apply_nodes
from knavtool.nodes.name_ranges import format_name_ranges
from knavtool.workflow.undoing.ledger import Before, Changed, Made, Nodes
from knavtool.workflow.undoing.node_snapshot import snapshot_nodes
from knavtool.workflow.undoing.patching import Patch
from knavtool.workflow.undoing.waits import Leaving
from knavtool.workflow.undoing.writing import change, create

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knavtool.errors import ClusterError
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest, Resource
    from knavtool.render.nodes import NodeSet
    from knavtool.workflow.task import Context
    from knavtool.workflow.undoing.ledger import Group, Ledger


_MOST_RUNS = 5


class Setting(Protocol):
    """One entry of a list of a Configure task."""

    @property
    def key(self) -> tuple[str, str]:
        """(namespace, name): entries for the same object are done in the order of the file."""

    async def apply(self, gateway: Gateway, ledger: Ledger, group: Group, deadline: float) -> str:
        """Make it so; returns what was done in a few words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A namespace that should exist and be usable, or be gone with all that is in it."""

    name: str
    create: bool

    @classmethod
    def parse(cls, item: Mapping[str, Any]) -> Self:
        return cls(name=text(item["name"]), create=item["op"] == "create")

    @property
    def key(self) -> tuple[str, str]:
        return "", self.name

    async def apply(self, gateway: Gateway, ledger: Ledger, group: Group, deadline: float) -> str:
        if not self.create:
            if not await gateway.delete(NAMESPACES, self.name):
                return f"namespace {self.name} did not exist"
            await _gone(gateway, NAMESPACES, None, self.name, deadline)
            ledger.forget(NAMESPACES, None, self.name)
            return f"namespace {self.name} deleted"
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}}
        while True:
            try:
                await create(gateway, group, group.intend(NAMESPACES, None, self.name), body)
            except AlreadyExists:
                if await self._usable(gateway):
                    return f"namespace {self.name} existed"
                # It is on its way out; it can be made again once it is gone.
                await _gone(gateway, NAMESPACES, None, self.name, deadline)
                continue
            await self._active(gateway, deadline)
            return f"namespace {self.name} created"

    async def _usable(self, gateway: Gateway) -> bool:
        try:
            found = await gateway.get(NAMESPACES, self.name)
        except NotFound:
            return False
        return "deletionTimestamp" not in found["metadata"]

    async def _active(self, gateway: Gateway, deadline: float) -> None:
        def active(state: Mapping[tuple[str, str], Manifest]) -> bool | None:
            found = state.get(("", self.name))
            return True if found is not None and found.get("status", {}).get("phase", "Active") == "Active" else None

        await until(
            gateway,
            NAMESPACES,
            active,
            timeout=remaining(deadline),
            field_selector=f"metadata.name={self.name}",
            describe=lambda _: f"namespace {self.name} is not Active",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorityClass:
    """A priority class of that value; the API lets no value be changed, so another one is deleted and made again."""

    name: str
    create: bool
    value: int | None

    @classmethod
    def parse(cls, item: Mapping[str, Any]) -> Self:
        return cls(name=text(item["name"]), create=item["op"] == "create", value=item.get("value"))

    @property
    def key(self) -> tuple[str, str]:
        return "", self.name

    async def apply(self, gateway: Gateway, ledger: Ledger, group: Group, deadline: float) -> str:
        body = {
            "apiVersion": PRIORITY_CLASSES.api_version,
            "kind": PRIORITY_CLASSES.kind,
            "metadata": {"name": self.name},
            "value": self.value,
        }
        if self.create:
            try:
                await create(gateway, group, group.intend(PRIORITY_CLASSES, None, self.name), body)
                return f"priority class {self.name} created"
            except AlreadyExists:
                pass
        before = await _find(gateway, PRIORITY_CLASSES, None, self.name)
        if before is not None and self.create and before.get("value") == self.value:
            return f"priority class {self.name} existed"
        if before is not None:
            if not ledger.has_made(PRIORITY_CLASSES, None, self.name):
                group.before.append(Before(resource=PRIORITY_CLASSES, namespace=None, manifest=before))
            await gateway.delete(PRIORITY_CLASSES, self.name)
            await _gone(gateway, PRIORITY_CLASSES, None, self.name, deadline)
            ledger.forget(PRIORITY_CLASSES, None, self.name)
        if not self.create:
            return f"priority class {self.name} {'deleted' if before is not None else 'did not exist'}"
        await create(gateway, group, group.intend(PRIORITY_CLASSES, None, self.name), body)
        return f"priority class {self.name} replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigMap:
    """A config map with exactly this data; labels and annotations of others stay."""

    name: str
    namespace: str
    create: bool
    data: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, item: Mapping[str, Any]) -> Self:
        return cls(
            name=text(item["name"]),
            namespace=text(item["namespace"]),
            create=item["op"] == "create",
            data={key: "" if value is None else text(value) for key, value in (item.get("data") or {}).items()},
        )

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.name

    async def apply(self, gateway: Gateway, ledger: Ledger, group: Group, deadline: float) -> str:  # noqa: ARG002 - nothing waits
        place = f"config map {self.namespace}/{self.name}"
        if self.create:
            body = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": self.name, "namespace": self.namespace},
                "data": dict(self.data),
            }
            try:
                await create(gateway, group, group.intend(CONFIG_MAPS, self.namespace, self.name), body)
                return f"{place} created"
            except AlreadyExists:
                pass
        made = ledger.has_made(CONFIG_MAPS, self.namespace, self.name)
        before = await _find(gateway, CONFIG_MAPS, self.namespace, self.name)
        if before is None:
            return f"{place} did not exist"
        if self.create and (before.get("data") or {}) == self.data:
            return f"{place} existed"
        if not self.create:
            if not made:
                group.before.append(Before(resource=CONFIG_MAPS, namespace=self.namespace, manifest=before))
            await gateway.delete(CONFIG_MAPS, self.name, namespace=self.namespace)
            ledger.forget(CONFIG_MAPS, self.namespace, self.name)
            return f"{place} deleted"
        # A merge patch only adds; keys that are not wanted have to be named as null.
        data = {key: None for key in before.get("data") or {} if key not in self.data} | dict(self.data)
        patch = Patch(main={"data": data})
        former = Patch() if made else patch.reverse(before)
        changed = Changed(resource=CONFIG_MAPS, namespace=self.namespace, name=self.name, patch=former)
        await change(gateway, group, patch, changed)
        return f"{place} changed"


async def settings(context: Context, group: Group, items: Sequence[Setting], deadline: float) -> list[str]:
    """Apply settings at the same time; raises one error for all that failed."""
    chains: dict[tuple[str, str], list[Setting]] = {}
    for item in items:
        chains.setdefault(item.key, []).append(item)
    messages: dict[tuple[str, str], list[str]] = {key: [] for key in chains}

    async def chain(key: tuple[str, str]) -> None:
        for item in chains[key]:
            messages[key].append(await item.apply(context.gateway, context.ledger, group, deadline))

    refused = await for_each(chains, chain)
    if refused:
        raise joined([error for _, error in refused])
    return [line for lines in messages.values() for line in lines]


async def nodes(context: Context, group: Group, wanted: NodeSet, deadline: float) -> str:
    """Make the virtual nodes of the cluster exactly the wanted ones.

    Nodes that the user made himself are not taken away without a word, unless a cleanup brings them back.
    """

    def removing(names: Sequence[str]) -> None:
        if context.ledger.restores:
            return
        which = list(format_name_ranges(names))
        shown = ", ".join(which[:_MOST_RUNS]) + (", ..." if len(which) > _MOST_RUNS else "")
        context.step.note(
            f"removes nodes of `knavtool nodes apply` that are not listed here ({len(names)}): "
            f"{shown}; `knavtool nodes apply -f FILE` brings them back",
            warning=True,
        )

    group.nodes = Nodes(before=await snapshot_nodes(context.gateway) if context.ledger.restores else None)
    summary = await apply_nodes(
        context.gateway,
        wanted,
        steps=context.step.nested(),
        prune=True,
        timeout=remaining(deadline),
        created=group.nodes.created.add,
        removing=removing,
    )
    return f"nodes: {summary}"


def remaining(deadline: float) -> float:
    """Seconds up to a moment of the loop's clock."""
    return max(deadline - asyncio.get_running_loop().time(), 0.0)


def joined(errors: Sequence[ClusterError]) -> ClusterError:
    """One error that tells all."""
    first = errors[0]
    if len(errors) == 1:
        return first
    text = "\n".join(dict.fromkeys(error.message for error in errors))
    return first.reworded(text)


async def _find(gateway: Gateway, resource: Resource, namespace: str | None, name: str) -> Manifest | None:
    try:
        return await gateway.get(resource, name, namespace=namespace)
    except NotFound:
        return None


async def _gone(gateway: Gateway, resource: Resource, namespace: str | None, name: str, deadline: float) -> None:
    leaving = Leaving([Made(resource=resource, namespace=namespace, name=name)])
    await leaving.until_gone(gateway, timeout=remaining(deadline))
