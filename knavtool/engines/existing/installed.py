"""What knavtool installed in a cluster, kept in that cluster: one ConfigMap per component in the namespace `knavtool`.

It is written before the first object of the component is sent, so that whatever is there can be found and removed
again, from any machine and after any end of the work.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from knavtool.engines.existing.installation import Ref
from knavtool.errors import AlreadyExists, ClusterError, NotFound
from knavtool.kube.resource import CONFIG_MAPS, NAMESPACES

if TYPE_CHECKING:
    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest

HOME = "knavtool"
"""The namespace that holds the records."""
LABEL = "knavtool/installed"
"""Labels what `cluster up` made, with the name of the component."""
RECORDS = "records"
"""The value of that label on the namespace of the records."""
_LABEL = "knavtool/component"
_KEY = "record.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A Helm that was started for a release: the mark of its process, the machine, and when it gives up (Unix time)."""

    mark: str
    host: str
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """One component; `order` counts the installations of a cluster.

    `objects` are those that were not there before and that knavtool sent, or was about to send: each of them carries
    `LABEL`, but those `unlabelled`, which an earlier version sent. `makes` are what its controllers make by
    themselves. `release` is name and namespace of the Helm release, `digest` what it was made of once Helm was done;
    `values` are the names of what the user set in its chart. `complete` tells that all was ready.
    """

    name: str
    version: str
    order: int
    objects: tuple[Ref, ...] = ()
    workloads: tuple[Ref, ...] = ()
    release: tuple[str, str] | None = None
    digest: str = ""
    work: Work | None = None
    unlabelled: tuple[Ref, ...] = ()
    makes: tuple[Ref, ...] = ()
    values: tuple[str, ...] = ()
    complete: bool = False


async def load(gateway: Gateway) -> dict[str, Installed]:
    """The components that knavtool installed, by name, in the order of their installation."""
    try:
        found = await gateway.list(CONFIG_MAPS, namespace=HOME, label_selector=_LABEL)
    except NotFound:
        return {}
    records = sorted((_read(item) for item in found), key=lambda one: one.order)
    return {one.name: one for one in records}


async def save(gateway: Gateway, record: Installed) -> None:
    """Write the record of a component; the namespace is there."""
    name = _object_name(record.name)
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": HOME, "labels": {_LABEL: record.name}},
        "data": {_KEY: json.dumps(asdict(record), indent=2)},
    }
    await gateway.apply(CONFIG_MAPS, name, body, namespace=HOME)


async def prepare(gateway: Gateway) -> None:
    """Make the namespace of the records; one that is there is somebody's, and stays as it is."""
    try:
        await gateway.get(NAMESPACES, HOME)
    except NotFound:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME, "labels": {LABEL: RECORDS}}}
        with suppress(AlreadyExists):
            await gateway.create(NAMESPACES, body)


async def forget(gateway: Gateway, name: str) -> None:
    """Remove the record of a component, once nothing of it is left."""
    await gateway.delete(CONFIG_MAPS, _object_name(name), namespace=HOME)


def _object_name(name: str) -> str:
    return f"component-{name}"


def _read(item: Manifest) -> Installed:
    try:
        data: dict[str, Any] = json.loads(item["data"][_KEY])
        data["objects"] = tuple(Ref(*one) for one in data["objects"])
        data["workloads"] = tuple(Ref(*one) for one in data["workloads"])
        data["release"] = tuple(data["release"]) if data["release"] else None
        data["work"] = Work(**data["work"]) if data["work"] else None
        # Earlier versions noted the programs of a component, and sent its objects without a label.
        data.pop("programs", None)
        data["values"] = tuple(map(str, data.get("values", ())))
        for key, before in (("unlabelled", data["objects"]), ("makes", ())):
            data[key] = tuple(Ref(*one) for one in data.get(key, before))
        return Installed(**data)
    except (KeyError, TypeError, ValueError) as error:
        name = item["metadata"]["name"]
        message = f"ConfigMap {HOME}/{name} cannot be read: {error!r}"
        hint = "was it written by a newer knavtool? if nothing of the component is left, delete it with kubectl"
        raise ClusterError(message, hint=hint) from error
