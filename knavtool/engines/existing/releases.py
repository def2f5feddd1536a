"""Helm releases that are not as Helm left them: half-way after a kill, or in the hands of a Helm that still works.

Helm keeps each revision of a release in a Secret, with its status. It sets `pending-install`, `pending-upgrade` or
`pending-rollback` before the first object is sent and another status at its end, and has no other lock. So a pending
release is either being worked on, or the Helm that did so is dead. That shows only for the one that knavtool itself
started on this machine: its processes carry a mark. Of any other, its time limit must be over.
"""

from __future__ import annotations

import os
import platform
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.engines.existing.installed import Work
from knavtool.errors import Conflict
from knavtool.kube.resource import CONFIG_MAPS, SECRETS

if TYPE_CHECKING:
    from knavtool.helm import Helm, Revision
    from knavtool.kube.gateway import Gateway

MARK = "KNAVTOOL_HELM"
_HELMS_LIMIT = 300.0
"""Seconds that Helm gives an operation if it is not told otherwise."""
_DRIVERS = {"secret": SECRETS, "configmap": CONFIG_MAPS}
_PROC = Path("/proc")


def new_work(timeout: float) -> Work:
    """What is known of a Helm that is about to be started with this time limit, in seconds."""
    return Work(mark=uuid.uuid4().hex, host=_host(), until=time.time() + timeout)


async def free(
    gateway: Gateway,
    helm: Helm,
    release: tuple[str, str],
    work: Work | None,
    *,
    timeout: float,
) -> str:
    """Bring a release that a dead Helm left half-way into a state that Helm accepts; returns what was done, or "".

    So is one that never worked: an upgrade of it would leave out the hooks of an installation. Raises Conflict if a
    Helm may be working on it.
    """
    name, namespace = release
    history = await helm.history(name, namespace=namespace)
    if not history:
        return ""
    last = history[-1]
    worked = next((one.number for one in reversed(history) if one.worked), None)
    if last.pending:
        await _require_dead(gateway, release, last, work)
        if worked is not None and last.status != "uninstalling":
            await helm.rollback(name, worked, namespace=namespace, timeout=timeout)
            return f"release {name} was {last.status}, left by a Helm that is gone: rolled back to revision {worked}"
    elif worked is not None:
        return ""
    await helm.uninstall(name, namespace=namespace, timeout=timeout, hooks=False, wait=True)
    why = "left by a Helm that is gone" if last.pending else last.message
    return f"release {name} was {last.status} ({why}): removed, to be installed again"


async def driver(gateway: Gateway, release: tuple[str, str]) -> str:
    """Where Helm keeps a release, as `HELM_DRIVER` says it; "" if it is in neither kind of object.

    knavtool keeps its releases in Secrets; others may not, and an earlier version did as the environment said.
    """
    name, namespace = release
    for kind, resource in _DRIVERS.items():
        if await gateway.list(resource, namespace=namespace, label_selector=f"owner=helm,name={name}"):
            return kind
    return ""


async def require_free(gateway: Gateway, helm: Helm, release: tuple[str, str], work: Work | None) -> None:
    """Raise Conflict if a Helm may be working on a release; a dead one does not keep it from being removed."""
    history = await helm.history(release[0], namespace=release[1])
    if history and history[-1].pending:
        await _require_dead(gateway, release, history[-1], work)


async def _require_dead(gateway: Gateway, release: tuple[str, str], last: Revision, work: Work | None) -> None:
    """Raise Conflict unless the Helm that made the release pending is certainly gone."""
    name, namespace = release
    if work is not None and work.host == _host():
        alive = _carrying(work.mark)
        if not alive:
            return
        who = f"the Helm that an earlier knavtool started works on it: process {', '.join(map(str, alive))}"
        hint = "wait until it is done, or end that process"
    else:
        changed = await _last_change(gateway, release, last.number)
        until = max(work.until if work is not None else 0.0, changed + _HELMS_LIMIT)
        left = until - time.time()
        if left <= 0:
            return
        who = f"another Helm may be working on it: its last change was {time.time() - changed:.0f} s ago"
        hint = (
            f"wait until it is done; if it is dead, `helm uninstall {name} --namespace {namespace}` frees the release, "
            f"and in {left:.0f} s knavtool takes it for dead by itself"
        )
    raise Conflict(f"release {namespace}/{name} is {last.status}, and {who}", status=409, hint=hint)


async def _last_change(gateway: Gateway, release: tuple[str, str], revision: int) -> float:
    """When what Helm keeps of a revision was written last, by the clock of the API server; Unix time."""
    name, namespace = release
    times = [0.0]
    selector = f"owner=helm,name={name},version={revision}"
    for resource in _DRIVERS.values():
        async for page in gateway.pages(resource, namespace=namespace, label_selector=selector, metadata_only=True):
            for item in page:
                metadata = item["metadata"]
                written = [one.get("time") for one in metadata.get("managedFields") or ()]
                timestamps = [metadata["creationTimestamp"], *written]
                times += [datetime.fromisoformat(one).astimezone(UTC).timestamp() for one in timestamps if one]
    return max(times)


def _host() -> str:
    """This machine: its name, and the address of its network card, because names of build machines repeat."""
    return f"{platform.node()}/{uuid.getnode():012x}"


def _carrying(mark: str) -> list[int]:
    """The processes of this machine that carry the mark."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            # Processes end while they are looked at, and some belong to other users.
            with suppress(OSError):
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return sorted(found)
