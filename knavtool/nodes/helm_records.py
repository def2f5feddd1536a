"""What Helm remembers of a release: it may be forgotten only if the release holds nothing but nodes that are taken."""

from __future__ import annotations

import base64
import gzip
from typing import TYPE_CHECKING, Any

import orjson

from knavtool.documents.entries import VIRTUAL_LABEL
from knavtool.documents.yaml import load_rendered
from knavtool.errors import Conflict
from knavtool.kube.resource import CONFIG_MAPS, SECRETS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest
    from knavtool.nodes.ownership import Owner

_DEVICES = frozenset({"ResourceSlice", "DeviceClass"})
_ENDED = frozenset({"superseded", "uninstalled"})
_SHOWN = 3


async def require_only_nodes(
    gateway: Gateway, owner: Owner, *, taken: Collection[str], staying: Collection[str]
) -> None:
    """Raise Conflict if a release holds more than nodes and their devices.

    `taken` are its nodes that will no longer be its own, and `staying` other nodes that are there.
    """
    for resource in (SECRETS, CONFIG_MAPS):
        for item in await gateway.list(resource, namespace=owner.namespace, label_selector=_selector(owner)):
            if (item["metadata"].get("labels") or {}).get("status") in _ENDED:
                continue
            others = list(_others(item, taken, staying))
            if others:
                some = ", ".join(others[:_SHOWN]) + (
                    f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
                )
                raise Conflict(
                    f"{owner} has other objects than the wanted nodes: {some}; nothing was changed",
                    status=409,
                    hint="take the nodes out of that release first, or give the entry another type or namePrefix",
                )


async def forget(gateway: Gateway, owner: Owner) -> None:
    """Remove what Helm remembers of a release, so that it does not delete the nodes later."""
    for resource in (SECRETS, CONFIG_MAPS):
        if await gateway.list(resource, namespace=owner.namespace, label_selector=_selector(owner)):
            await gateway.delete_collection(resource, namespace=owner.namespace, label_selector=_selector(owner))


def _selector(owner: Owner) -> str:
    return f"owner=helm,name={owner.release}"


def _others(item: Manifest, taken: Collection[str], staying: Collection[str]) -> Iterator[str]:
    """What a revision of a release holds beside the nodes that are taken."""
    try:
        release = _decoded(item["data"]["release"])
        objects = load_rendered(release.get("manifest") or "")
        hooks = release.get("hooks") or ()
    except (KeyError, TypeError, ValueError, OSError):
        yield f"what {item['metadata']['name']} says, which cannot be read"
        return
    for one in objects:
        metadata = one["metadata"]
        name = metadata["name"]
        virtual = one["kind"] == "Node" and dict([VIRTUAL_LABEL]).items() <= (metadata.get("labels") or {}).items()
        if not (one["kind"] in _DEVICES or (virtual and (name in taken or name not in staying))):
            yield f"{one['kind']} {name}"
    yield from (f"hook {one.get('kind', '')} {one.get('name', '')}" for one in hooks)


def _decoded(text: str) -> dict[str, Any]:
    """A release as Helm stores it: JSON, mostly compressed, in base64, of which a Secret adds another layer."""
    data = base64.b64decode(text)
    if not data.startswith((b"\x1f\x8b", b"{")):
        data = base64.b64decode(data)
    found = orjson.loads(gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data)
    if not isinstance(found, dict):
        raise TypeError(found)
    return found
