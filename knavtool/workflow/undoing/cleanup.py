"""Undoes what a ledger holds: in reverse order, waiting until it is done, going on after errors."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING

from knavtool.errors import AlreadyExists, ClusterError, DeadlineExceeded, NotFound
from knavtool.events import Result
from knavtool.kube.gateway import AGE_TOLERANCE, written_by_us
from knavtool.kube.resource import CUSTOM_RESOURCE_DEFINITIONS, JOBS, NODES
from knavtool.nodes.apply import apply_nodes
from knavtool.nodes.inventory import delete_nodes
from knavtool.workflow.undoing.claims import delete_claims
from knavtool.workflow.undoing.failures import Failures
from knavtool.workflow.undoing.ledger import Made
from knavtool.workflow.undoing.waits import Leaving
from knavtool.workflow.wording import counted

if TYPE_CHECKING:
    from knavtool.events import Step, Steps
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest, Resource
    from knavtool.workflow.undoing.ledger import Before, Changed, Group, Ledger
    from knavtool.workflow.undoing.waits import Known

_LEAVING_FOR = 30.0
"""Seconds that an object whose deletion a finalizer holds up is waited for before it is brought back."""
_SET_BY_SERVER = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "selfLink")


async def undo(ledger: Ledger, gateway: Gateway, *, steps: Steps, timeout: float) -> None:
    """Undo everything within `timeout` seconds; raises ClusterError with what could not be undone.

    Nothing that goes wrong in one place keeps the rest from being undone, not even an internal error; if there was
    one, a group with it is raised.
    """
    wanted = ledger.summary()
    with steps.step("cleanup", "cleanup", wanted) as step:
        failures = Failures()
        try:
            async with asyncio.timeout(timeout):
                young = _young(ledger)
                for group in _in_order(ledger):
                    await _undo_group(group, gateway, step, young, failures)
        except TimeoutError:
            # A server that does not serve is retried with patience, and may not have been given up in that time.
            last = [gateway.last_failure.message] if gateway.last_failure is not None else []
            head = f"cleanup took longer than {timeout:g} s; left behind: {ledger.summary() or 'nothing'}"
            step.message = "\n".join(dict.fromkeys([head, *failures.lines(), *last]))
            refusal: ClusterError = DeadlineExceeded(step.message, hint="--cleanup-timeout gives it more time")
        else:
            if not failures:
                step.message = f"{wanted} removed" if wanted else "nothing to remove"
                step.data["removed"] = wanted
                return
            head = f"cleanup is incomplete; left behind: {ledger.summary() or 'see below'}"
            step.message = "\n".join([head, *failures.lines()])
            refusal = ClusterError(step.message, hint=failures.hint())
        if faults := failures.faults():
            raise ExceptionGroup(head, [*faults, refusal]) from None
        raise refusal from None


def _in_order(ledger: Ledger) -> list[Group]:
    """The last work first, but nodes at the end: pods of a node that is gone wait for a collector of half a minute.

    A change of nodes too, because a later task may have deleted the node, which has to be there again before that.
    """
    backwards = ledger.groups[::-1]
    return sorted(backwards, key=_is_about_nodes)


def _is_about_nodes(group: Group) -> bool:
    return group.nodes is not None or any(changed.resource == NODES for changed in group.changed)


def _young(ledger: Ledger) -> frozenset[str]:
    """The API groups whose kinds this run has defined."""
    return frozenset(
        made.name.partition(".")[2] for made in ledger.made() if made.resource == CUSTOM_RESOURCE_DEFINITIONS
    )


async def _undo_group(group: Group, gateway: Gateway, parent: Step, young: frozenset[str], failures: Failures) -> None:
    """Undo the work of one task."""
    if not (group.made or group.claims or group.before or group.changed or group.nodes is not None):
        return
    with parent.nested().step("undo", group.title) as step:
        own = Failures()
        failures.nest(own)
        for work in (
            partial(_delete_made, young=young),
            _delete_claims,
            _recreate_deleted,
            _revert_changes,
            _undo_nodes,
        ):
            with own.kept():
                await work(group, gateway, step, own)
        if own:
            step.result, step.message = Result.FAILED, "\n".join(own.lines())


async def _delete_made(
    group: Group, gateway: Gateway, step: Step, failures: Failures, *, young: frozenset[str]
) -> None:
    """Delete objects with all that they own, and wait until both are gone."""
    waiting: list[Made] = []
    total = len(group.made)

    async def delete(made: Made) -> None:
        if not made.uid and not await _is_ours(gateway, made):
            group.retract(made)
            return
        # Foreground: the object goes last, so waiting for it is waiting for all it owns. Jobs own their pods
        # directly, which can be waited for by themselves; for a thousand Jobs that takes half the time.
        # The garbage collector learns of a new kind only after half a minute; until then it ends no such deletion.
        direct = made.resource == JOBS or made.resource.group in young
        propagation = "Background" if direct else "Foreground"
        if await gateway.delete(
            made.resource, made.name, namespace=made.namespace, propagation=propagation, uid=made.uid or None
        ):
            waiting.append(made)
        else:
            group.retract(made)

    def gone(item: Known) -> None:
        name = item.key[1]
        group.made.pop((item.resource, item.namespace or "", name), None)
        if len(group.made) % max(total // 100, 1) == 0:
            step.progress(total - len(group.made), total)

    await failures.for_each(list(group.made.values()), delete, named=str)
    if waiting:
        leaving = Leaving(waiting)
        with failures.kept(), failures.of_what_stays(leaving.summary):
            await leaving.until_gone(gateway, timeout=None, pods=True, gone=gone)


async def _delete_claims(group: Group, gateway: Gateway, step: Step, failures: Failures) -> None:  # noqa: ARG001 - alike
    await delete_claims(gateway, group.claims, failures)
    group.claims.clear()


async def _is_ours(gateway: Gateway, made: Made) -> bool:
    """Whether an object whose creation was never confirmed exists and was made by this run: not by an earlier one."""
    try:
        found = await gateway.get(made.resource, made.name, namespace=made.namespace)
    except ClusterError as error:
        if error.status == 404:
            return False
        raise
    return written_by_us(found) and gateway.age(found) <= time.monotonic() - made.intended + AGE_TOLERANCE


async def _recreate_deleted(group: Group, gateway: Gateway, step: Step, failures: Failures) -> None:
    """Create deleted objects again, the last one first."""
    for before in reversed(group.before):
        body = _creatable(before.manifest)
        with failures.kept(str(before)):
            try:
                await gateway.create(before.resource, body, namespace=before.namespace)
            except AlreadyExists:
                if not await _is_leaving(gateway, before):
                    step.note(f"{before} is there")
                    continue
                await gateway.create(before.resource, body, namespace=before.namespace)
            step.note(f"{before} is back")
    group.before.clear()


async def _is_leaving(gateway: Gateway, before: Before) -> bool:
    """Whether the object that was deleted was still there; it is gone then. Raises DeadlineExceeded if it stays."""
    metadata = before.manifest["metadata"]
    try:
        live = await gateway.get(before.resource, metadata["name"], namespace=before.namespace)
    except NotFound:
        return True
    if live["metadata"]["uid"] != metadata["uid"] or "deletionTimestamp" not in live["metadata"]:
        return False
    made = Made(resource=before.resource, namespace=before.namespace, name=metadata["name"], uid=metadata["uid"])
    await Leaving([made]).until_gone(gateway, timeout=_LEAVING_FOR)
    return True


def _creatable(manifest: Manifest) -> Manifest:
    """A live object without what only the server sets."""
    metadata = {key: value for key, value in manifest["metadata"].items() if key not in _SET_BY_SERVER}
    return {key: value for key, value in manifest.items() if key != "status"} | {"metadata": metadata}


async def _revert_changes(group: Group, gateway: Gateway, step: Step, failures: Failures) -> None:
    """Give changed fields their former values; an object that was changed twice gets them in reverse order."""
    objects: dict[tuple[Resource, str, str], list[Changed]] = {}
    for changed in reversed(group.changed):
        objects.setdefault((changed.resource, changed.namespace or "", changed.name), []).append(changed)
    restored: list[tuple[str, Changed]] = []

    async def take_back(changes: list[Changed]) -> None:
        first = changes[0]
        try:
            for one in changes:
                await one.patch.send(gateway, one.resource, one.name, namespace=one.namespace, uid=one.uid)
        except ClusterError:
            if not await _is_gone(gateway, first):
                raise
            step.note(f"{first} is gone, so its changes are not reverted", warning=True)
        else:
            restored.append((first.resource.kind, first))

    await failures.for_each(objects.values(), take_back, named=lambda changes: str(changes[0]))
    if restored:
        which = str(restored[0][1]) if len(restored) == 1 else counted(restored)
        step.note(f"{which} {'is' if len(restored) == 1 else 'are'} as before")
    group.changed.clear()


async def _is_gone(gateway: Gateway, changed: Changed) -> bool:
    """Whether the object is not there any more; one of its name may be."""
    try:
        live = await gateway.get(changed.resource, changed.name, namespace=changed.namespace)
    except NotFound:
        return True
    return bool(changed.uid) and live["metadata"]["uid"] != changed.uid


async def _undo_nodes(group: Group, gateway: Gateway, step: Step, failures: Failures) -> None:
    """Delete nodes that were created, and give those that were changed or removed their former state."""
    nodes = group.nodes
    if nodes is None:
        return
    if nodes.created:
        with failures.kept():
            # Twice, because an interrupted run may have left requests behind that arrive after the first look.
            for _ in range(2):
                await delete_nodes(gateway, nodes.created, steps=step.nested())
            nodes.created.clear()
    if nodes.before is not None and len(nodes.before):
        await apply_nodes(gateway, nodes.before, steps=step.nested(), prune=False, timeout=None)
    if not nodes.created:
        group.nodes = None
