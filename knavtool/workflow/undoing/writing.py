"""Creates and changes objects through the ledger: what undoes a request is written down before it is sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from knavtool.errors import ClusterError

if TYPE_CHECKING:
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest
    from knavtool.workflow.undoing.ledger import Changed, Group, Made
    from knavtool.workflow.undoing.patching import Patch

T = TypeVar("T")
_GRACE_SECONDS = 10.0
"""How long an interrupted run waits for the answer to a request that is under way."""


async def create(gateway: Gateway, group: Group, made: Made, body: Manifest | bytes) -> Made:
    """Create an object that `group.intend` has written down, and write down that it is there. One request.

    A cancelled caller still gets the server's answer noted: a request that was cut off would leave an object of which
    nobody knows whether this run made it. Raises ClusterError.
    """
    request = asyncio.ensure_future(gateway.create(made.resource, body, namespace=made.namespace))
    try:
        answer = await _answered(request)
    except asyncio.CancelledError:
        if request.done() and not request.cancelled():
            _settle(group, made, request)
        raise
    except ClusterError as error:
        _refused(group, made, error)
        raise
    made.uid = answer["metadata"]["uid"]
    return made


async def change(gateway: Gateway, group: Group, patch: Patch, changed: Changed) -> int:
    """Send a patch; what takes it back is written down first, if there is anything to take back. One request.

    Returns the object's new resource version. A cancelled caller still waits for the server's answer: a request that
    was cut off could arrive after the cleanup has taken it back. Raises ClusterError.
    """
    if changed.patch:
        group.changed.append(changed)
    sending = patch.send(gateway, changed.resource, changed.name, namespace=changed.namespace, uid=changed.uid)
    return await _answered(asyncio.ensure_future(sending))


def _settle(group: Group, made: Made, request: asyncio.Future[Manifest]) -> None:
    error = request.exception()
    if error is None:
        made.uid = request.result()["metadata"]["uid"]
    elif isinstance(error, ClusterError):
        _refused(group, made, error)


def _refused(group: Group, made: Made, error: ClusterError) -> None:
    # Without an answer the object may exist; only a refusal of every attempt says that it does not. One with a uid was
    # created before, and is still to be undone.
    made.lost = not made.uid and (error.perhaps_done or not 400 <= error.status < 500)
    if not made.uid and not made.lost:
        group.retract(made)


async def _answered(request: asyncio.Future[T]) -> T:
    """The answer to a request, which a cancelled caller gives some time to come."""
    try:
        return await asyncio.shield(request)
    except asyncio.CancelledError:
        await asyncio.wait([request], timeout=_GRACE_SECONDS)
        if not request.cancel() and not request.cancelled():
            request.exception()  # asyncio would complain about one that nobody has looked at
        raise
