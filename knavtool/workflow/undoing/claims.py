"""Claims of volumes that a StatefulSet of the run made: Kubernetes keeps them when it goes, a cleanup does not.

They have no owner and no mark of their StatefulSet. Its are those named `TEMPLATE-NAME-NUMBER` with the labels of its
selector; one that was there before the StatefulSet was submitted belongs to an earlier one of the same name.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from knavtool.errors import Forbidden
from knavtool.kube.resource import PERSISTENT_VOLUME_CLAIMS, STATEFUL_SETS
from knavtool.workflow.undoing.ledger import Claims, Made
from knavtool.workflow.undoing.waits import Leaving

if TYPE_CHECKING:
    from collections.abc import Iterable

    from knavtool.kube.gateway import Gateway
    from knavtool.workflow.undoing.failures import Failures


async def claims_of(gateway: Gateway, made: Made, body: bytes) -> Claims | None:
    """The claims that an object which is about to be created will make; None if the cleanup has to remove none.

    A StatefulSet whose retention policy says that claims are retained keeps them.
    """
    if made.resource != STATEFUL_SETS:
        return None
    spec = orjson.loads(body).get("spec") or {}
    templates = [one["metadata"]["name"] for one in spec.get("volumeClaimTemplates") or ()]
    retention = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    if not templates or retention.get("whenDeleted") == "Retain":
        return None
    name = re.compile(f"({'|'.join(map(re.escape, templates))})-{re.escape(made.name)}-[0-9]+")
    claims = Claims(owner=made, name=name, labels=(spec.get("selector") or {}).get("matchLabels") or {})
    try:
        before = [claim.uid for claim in await _found(gateway, claims)]
    except Forbidden:
        return None  # whoever may not read claims can neither tell them apart nor remove them
    return replace(claims, before=frozenset(before))


async def delete_claims(gateway: Gateway, wanted: Iterable[Claims], failures: Failures) -> None:
    """Delete the claims of StatefulSets that are gone, and wait until they are gone too."""
    leaving: list[Made] = []

    async def delete(claim: Made) -> None:
        if await gateway.delete(claim.resource, claim.name, namespace=claim.namespace, uid=claim.uid):
            leaving.append(claim)

    for one in wanted:
        with failures.kept(f"claims of {one.owner}"):
            await failures.for_each(await _found(gateway, one), delete, named=str)
    if leaving:
        left = Leaving(leaving)
        with failures.of_what_stays(left.summary):
            await left.until_gone(gateway, timeout=None)


async def _found(gateway: Gateway, claims: Claims) -> list[Made]:
    namespace = claims.owner.namespace
    selector = ",".join(f"{key}={value}" for key, value in claims.labels.items())
    return [
        Made(resource=PERSISTENT_VOLUME_CLAIMS, namespace=namespace, name=found["name"], uid=found["uid"])
        async for page in gateway.pages(
            PERSISTENT_VOLUME_CLAIMS, namespace=namespace, label_selector=selector, metadata_only=True
        )
        for found in (item["metadata"] for item in page)
        if claims.name.fullmatch(found["name"]) and found["uid"] not in claims.before
    ]
