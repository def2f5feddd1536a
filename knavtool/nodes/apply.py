"""Make the cluster's virtual nodes equal to the rendered ones: compare, write what differs, wait until Ready."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.errors import AlreadyExists, ClusterError, Conflict, NotFound
from knavtool.kube.concurrency import for_each
from knavtool.kube.resource import NODES, SECRETS
from knavtool.nodes.desired import by_name, prepare
from knavtool.nodes.diff import Change, change
from knavtool.nodes.ownership import VIRTUAL, Owner, owner_of
from knavtool.nodes.readiness import wait_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from knavtool.events import Step, Steps
    from knavtool.kube.gateway import Gateway
    from knavtool.nodes.desired import Desired
    from knavtool.render.nodes import NodeSet

_TRIES_AFTER_CONFLICT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What separates the cluster from the values file; `removed` maps names to uids."""

    created: tuple[str, ...] = ()
    changed: tuple[Change, ...] = ()
    unchanged: int = 0
    removed: Mapping[str, str] = field(default_factory=dict)
    kept: int = 0

    def lines(self) -> Iterator[str]:
        """The difference for people; nodes with the same change share a line."""
        for run in _runs(self.created):
            yield f"+ {run}"
        grouped: dict[tuple[str, ...], list[str]] = {}
        for item in self.changed:
            grouped.setdefault(item.lines, []).append(item.name)
        for lines, names in grouped.items():
            for run in _runs(tuple(names)):
                yield f"~ {run}"
            for line in lines:
                yield f"    {line}"
        for run in _runs(tuple(self.removed)):
            yield f"- {run}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How many nodes `apply_nodes` created, changed, left alone and removed."""

    created: int
    changed: int
    unchanged: int
    removed: int

    def __str__(self) -> str:
        return f"{self.created} created, {self.changed} changed, {self.unchanged} unchanged, {self.removed} removed"


async def compare(
    gateway: Gateway, nodes: NodeSet, *, prune: bool = True, take_ownership: bool = False
) -> tuple[dict[str, Desired], Difference, set[Owner]]:
    """Read the cluster's virtual nodes in pages and keep only what differs.

    Returns the desired nodes by name, the difference, and the owners nodes would be taken from.
    Raises Conflict if a wanted node belongs to somebody else and `take_ownership` is not given.
    """
    desired = dict(by_name(prepare(nodes)))
    missing = dict.fromkeys(desired)
    changed: list[Change] = []
    removed: dict[str, str] = {}
    taken: set[Owner] = set()
    conflicts: dict[str, Owner] = {}
    others: dict[str, tuple[str, Owner]] = {}
    async for page in gateway.pages(NODES, label_selector=VIRTUAL):
        for node in page:
            name = node["metadata"]["name"]
            owner = owner_of(node)
            if name not in desired:
                others[name] = (node["metadata"]["uid"], owner)
                continue
            missing.pop(name, None)
            if not owner.ours and not take_ownership:
                conflicts[name] = owner
                continue
            if not owner.ours:
                taken.add(owner)
            if (needed := change(desired[name], node)) is not None:
                changed.append(needed)
    if conflicts:
        raise _owned_by_others(conflicts)
    if prune:
        removed = {
            name: uid for name, (uid, owner) in others.items() if owner.ours or (owner.release and owner in taken)
        }
    unchanged = len(desired) - len(missing) - len(changed)
    difference = Difference(
        created=tuple(missing), changed=tuple(changed), unchanged=unchanged, removed=removed, kept=len(others)
    )
    return desired, difference, taken


async def apply_nodes(
    gateway: Gateway,
    nodes: NodeSet,
    *,
    steps: Steps,
    prune: bool = True,
    timeout: float | None = None,
    take_ownership: bool = False,
    created: Callable[[str], None] | None = None,
) -> Summary:
    """Create, change and (with `prune`) remove nodes until the cluster's virtual nodes are the rendered ones.

    Nodes are created by POST, which the server does at twice the rate of an apply, and changed by a minimal patch.
    `created` is called with each name before its node is created. After the writes it waits up to `timeout`
    seconds until the written nodes are Ready; None means for ever. An interrupted call leaves whole nodes only.
    """
    with steps.step("nodes", "compare", f"{len(nodes)} wanted") as step:
        desired, difference, taken = await compare(gateway, nodes, prune=prune, take_ownership=take_ownership)
        step.message = "; ".join(
            f"{count} to {verb}"
            for verb, count in (
                ("create", len(difference.created)),
                ("change", len(difference.changed)),
                ("remove", len(difference.removed)),
            )
            if count
        )
    summary = Summary(
        created=len(difference.created),
        changed=len(difference.changed),
        unchanged=difference.unchanged,
        removed=len(difference.removed),
    )
    if total := summary.created + summary.changed + summary.removed:
        with steps.step("nodes", "write", f"{total} nodes") as step:
            await _write(gateway, desired, difference, step, total, created)
            for owner in taken:
                await _forget_release(gateway, owner)
            step.message = str(summary)
    written = {*difference.created, *(item.name for item in difference.changed)}
    if written:
        with steps.step("nodes", "ready", f"{len(written)} nodes") as step:
            await wait_ready(gateway, written, step=step, timeout=timeout)
    return summary


async def _write(
    gateway: Gateway,
    desired: Mapping[str, Desired],
    difference: Difference,
    step: Step,
    total: int,
    created: Callable[[str], None] | None,
) -> None:
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if done % max(total // 100, 1) == 0 or done == total:
            step.progress(done, total)

    async def create(name: str) -> None:
        if created is not None:
            created(name)
        try:
            await gateway.create(NODES, desired[name].batch.body(name))
        except AlreadyExists as error:
            raise Conflict(
                f"node {name} exists and is not one of ours",
                status=error.status,
                hint="give the entry another type or namePrefix, or remove that node",
            ) from error
        count()

    async def alter(item: Change) -> None:
        await _change_one(gateway, desired[item.name], item)
        count()

    async def remove(name: str) -> None:
        await gateway.delete(NODES, name, uid=difference.removed[name])
        count()

    refused = [
        *(error for _, error in await for_each(difference.created, create)),
        *(error for _, error in await for_each(difference.changed, alter)),
        *(error for _, error in await for_each(difference.removed, remove)),
    ]
    if refused:
        raise summed(refused, total)


async def _change_one(gateway: Gateway, desired: Desired, first: Change) -> None:
    """Patch a node; when it changed since it was read, read and compare again."""
    needed: Change | None = first
    for attempt in range(_TRIES_AFTER_CONFLICT):
        if needed is None:
            return
        try:
            if needed.main is not None:
                await gateway.patch(NODES, needed.name, needed.main)
            if needed.status is not None:
                await gateway.patch(NODES, needed.name, needed.status, subresource="status", strategic=True)
        except Conflict:
            if attempt == _TRIES_AFTER_CONFLICT - 1:
                raise
            needed = change(desired, await gateway.get(NODES, needed.name))
        except NotFound:
            # Somebody removed it after it was read; the values file wants it.
            await gateway.create(NODES, desired.batch.body(needed.name))
            return
        else:
            return


async def _forget_release(gateway: Gateway, owner: Owner) -> None:
    """Remove Helm's record of a release whose nodes were all taken over, so that Helm does not delete them later."""
    if owner.release:
        await gateway.delete_collection(
            SECRETS, namespace=owner.namespace, label_selector=f"owner=helm,name={owner.release}"
        )


def _owned_by_others(conflicts: Mapping[str, Owner]) -> Conflict:
    name, owner = next(iter(conflicts.items()))
    more = f" (and {len(conflicts) - 1} more)" if len(conflicts) > 1 else ""
    return Conflict(
        f"node {name}{more} belongs to {owner}; nothing was changed",
        status=409,
        hint="--take-ownership moves the nodes to knavtool"
        + ("" if not owner.release else f", or `helm uninstall {owner.release} -n {owner.namespace}` removes them"),
    )


def summed(refused: list[ClusterError], total: int) -> ClusterError:
    """One error for many: the most frequent message, with how many nodes it hit."""
    message, count = Counter(error.message for error in refused).most_common(1)[0]
    first = next(error for error in refused if error.message == message)
    text = f"{len(refused)} of {total} nodes were refused: {message}"
    if count < len(refused):
        text += f" (and {len(refused) - count} with other messages)"
    return type(first)(text, status=first.status, reason=first.reason, hint=first.hint)


def _runs(names: tuple[str, ...]) -> Iterator[str]:
    """`a-0 … a-9 (10 nodes)` for names that share a prefix."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.rpartition("-")[0], []).append(name)
    for group in groups.values():
        yield group[0] if len(group) == 1 else f"{group[0]} … {group[-1]} ({len(group)} nodes)"
