"""Writes the difference between the cluster and a values file: many nodes at a time, each of them whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from knavtool.errors import AlreadyExists, Conflict, NotFound, Unreachable
from knavtool.kube.concurrency import for_each
from knavtool.kube.resource import NODES
from knavtool.nodes.diff import change
from knavtool.nodes.helm_records import forget
from knavtool.nodes.ownership import owner_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from knavtool.errors import ClusterError
    from knavtool.events import Step
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest
    from knavtool.nodes.compare import Comparison
    from knavtool.nodes.desired import Desired
    from knavtool.nodes.diff import Change
    from knavtool.nodes.ownership import Owner

T = TypeVar("T")

_GRACE_SECONDS = 5.0
"""How long an interrupted call waits for the answers to requests that are under way."""
_TRIES_AFTER_CONFLICT = 5


class Writer:
    """One application of a difference; `created`, `changed` and `removed` count the nodes that are done.

    `uids` are those of the nodes it made.
    """

    def __init__(
        self,
        gateway: Gateway,
        comparison: Comparison,
        *,
        step: Step,
        created: Callable[[str], None] | None = None,
    ) -> None:
        self.created = self.changed = self.removed = 0
        self.uids: dict[str, str] = {}
        self._gateway = gateway
        self._desired = comparison.desired
        self._difference = difference = comparison.nodes
        self._taken = comparison.taken
        self._step = step
        self._announce = created
        self._total = len(difference.created) + len(difference.changed) + len(difference.removed)
        self._unanswered = 0
        self._stopped = False
        self._releases: set[Owner] = set()

    async def run(self) -> None:
        """Write everything; raises one error for all nodes that were refused.

        When it is cancelled it starts nothing more, but lets requests that are under way come to their end, because a
        request that is cut off may still make a node of which nobody knows.
        """
        writing = asyncio.ensure_future(self._write())
        try:
            await asyncio.wait([writing])
        except asyncio.CancelledError:
            self._stopped = True
            try:
                await asyncio.wait([writing], timeout=_GRACE_SECONDS)
            finally:
                unanswered = self._unanswered
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
                self._tell_interruption(unanswered)
            raise
        await writing

    async def _write(self) -> None:
        refused = await self._each(self._difference.created, self._create)
        refused += [(item.name, error) for item, error in await self._each(self._difference.changed, self._change)]
        refused += await self._each(self._difference.removed, self._remove)
        for owner in self._releases:
            # Otherwise Helm would delete the nodes later. Also when some could not be written.
            await forget(self._gateway, owner)
        if refused:
            raise summed(refused, self._total)

    async def _each(self, items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> list[tuple[T, ClusterError]]:
        async def one(item: T) -> None:
            self._unanswered += 1
            try:
                await work(item)
            finally:
                self._unanswered -= 1
            done = self.created + self.changed + self.removed
            if done % max(self._total // 100, 1) == 0 or done == self._total:
                self._step.progress(done, self._total)

        refused = await for_each(self._until_stopped(items), one)
        self._stopped = self._stopped or any(isinstance(error, Unreachable) for _, error in refused)
        return refused

    def _until_stopped(self, items: Iterable[T]) -> Iterator[T]:
        for item in items:
            if self._stopped:
                return
            yield item

    async def _create(self, name: str) -> None:
        if self._announce is not None:
            self._announce(name)
        desired = self._desired[name]
        try:
            node = await self._gateway.create(NODES, desired.batch.body(name))
        except AlreadyExists as error:
            # Made since the comparison, perhaps by an interrupted call whose requests were still under way.
            node = await self._gateway.get(NODES, name)
            if not owner_of(node).ours:
                raise Conflict(
                    f"node {name} exists and is not one of ours",
                    status=error.status,
                    hint="give the entry another type or namePrefix, or remove that node",
                ) from error
            node = await change_node(self._gateway, desired, change(desired, node)) or node
        self.uids[name] = node["metadata"]["uid"]
        self.created += 1

    async def _change(self, item: Change) -> None:
        node = await change_node(self._gateway, self._desired[item.name], item)
        if node is not None:
            self.uids[item.name] = node["metadata"]["uid"]
        owner = self._taken.get(item.name)
        if owner is not None and owner.release:
            self._releases.add(owner)
        self.changed += 1

    async def _remove(self, name: str) -> None:
        await self._gateway.delete(NODES, name, uid=self._difference.removed[name])
        self.removed += 1

    def _tell_interruption(self, unanswered: int) -> None:
        difference = self._difference
        counts = (
            ("created", self.created, len(difference.created)),
            ("changed", self.changed, len(difference.changed)),
            ("removed", self.removed, len(difference.removed)),
        )
        message = ", ".join(f"{done} of {total} {verb}" for verb, done, total in counts if total)
        if unanswered:
            message += f"; the server did not answer for {unanswered} more"
        self._step.note(f"interrupted: nodes: {message}; the same command again does the rest", warning=True)


async def change_node(gateway: Gateway, desired: Desired, needed: Change | None) -> Manifest | None:
    """Patch a node; when it changed since it was read, read and compare again. Returns one that had to be made anew."""
    for attempt in range(_TRIES_AFTER_CONFLICT):
        if needed is None:
            return None
        try:
            await _patch(gateway, needed)
        except Conflict:
            if attempt == _TRIES_AFTER_CONFLICT - 1:
                raise
            needed = change(desired, await gateway.get(NODES, needed.name))
        except NotFound:
            # Somebody removed it after it was read; the values file wants it.
            return await gateway.create(NODES, desired.batch.body(needed.name))
        else:
            return None
    return None


async def _patch(gateway: Gateway, needed: Change) -> None:
    """The status first: `main` notes what we wrote, and must not forget a condition that is still there."""
    main, status = needed.main, needed.status
    version = main["metadata"].get("resourceVersion") if main is not None else None
    if status is not None:
        guarded = status if version is None else {**status, "metadata": {"resourceVersion": version}}
        answer = await gateway.patch(NODES, needed.name, guarded, subresource="status", strategic=True)
        if main is not None and version is not None:
            main = {**main, "metadata": {**main["metadata"], "resourceVersion": answer["metadata"]["resourceVersion"]}}
    if main is not None:
        await gateway.patch(NODES, needed.name, main)


def summed(refused: Sequence[tuple[str, ClusterError]], total: int, what: str = "nodes") -> ClusterError:
    """One error for many nodes: which they are, and the message that most of them have in common."""
    alike: dict[str, list[ClusterError]] = {}
    for name, error in refused:
        alike.setdefault(_general(error.message, name), []).append(error)
    most = max(alike.values(), key=len)
    first = most[0]
    names = sorted(name for name, _ in refused)
    some = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    text = f"{len(refused)} of {total} {what} were refused ({some}): {first.message}"
    if len(most) < len(refused):
        text += f" (and {len(refused) - len(most)} with other messages)"
    return first.reworded(text)


def _general(message: str, name: str) -> str:
    """A message without the node's name."""
    for before, after in ((" ", ":"), (" ", "/"), (" ", " "), ('"', '"')):
        message = message.replace(f"{before}{name}{after}", f"{before}*{after}")
    return message
