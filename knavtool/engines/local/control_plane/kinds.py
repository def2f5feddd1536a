"""What the control plane must know of new kinds before anybody uses them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from knavtool.kube.resource import CONFIG_MAPS
from knavtool.kube.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from knavtool.kube.gateway import Gateway
    from knavtool.render.manifests import Manifest

CONTROLLER_MANAGER = "kube-controller-manager"
"""Its garbage collector and its quotas look for new kinds every 30 s only, and at once when it starts."""

_NAME = "knavtool-new-kinds"
_NAMESPACE = "kube-system"


async def until_collected(gateway: Gateway, definitions: Iterable[Manifest]) -> None:
    """Wait until the garbage collector works and knows the kinds of these definitions; bounded by the caller.

    It tells nobody what it knows. But an object whose owners do not exist goes as soon as it knows all their kinds; of
    a kind that it does not know it cannot say whether such an owner exists.
    """
    owners = [_owner(one) for one in definitions]
    metadata = {"generateName": f"{_NAME}-", "namespace": _NAMESPACE, "ownerReferences": owners}
    orphan = await gateway.create(
        CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}, namespace=_NAMESPACE
    )
    name = orphan["metadata"]["name"]
    await until(
        gateway,
        CONFIG_MAPS,
        lambda seen: None if (_NAMESPACE, name) in seen else True,
        timeout=None,
        namespace=_NAMESPACE,
        field_selector=f"metadata.name={name}",
    )


def _owner(definition: Manifest) -> dict[str, str]:
    spec = definition["spec"]
    version = next(one["name"] for one in spec["versions"] if one["served"])
    return {
        "apiVersion": f"{spec['group']}/{version}",
        "kind": spec["names"]["kind"],
        "name": _NAME,
        "uid": str(uuid.uuid4()),
    }
