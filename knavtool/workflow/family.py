"""Which pods belong to the objects of a SubmitObj.

A pod belongs if its owner references lead to one of the objects, directly or through owners in between (JobSet, Job,
Pod), or if its whole name fits a pod name pattern and nothing shows that it belongs to something else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from knavtool.errors import ClusterError
from knavtool.kube.concurrency import for_each

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest
    from knavtool.workflow.submission import Submission

_DEEPEST = 8
_LONGEST_ALTERNATION = 200


class Family:
    """Decides by what is known so far; `verify` asks the server about owners that only the name speaks for."""

    def __init__(self, submission: Submission) -> None:
        objects = submission.objects()
        self._ours = {item.uid for item in objects}
        self._foreign: set[str] = set()
        self._accepted: set[str] = set()
        # Of a kind that was refused, all that there is belongs to others.
        self._kinds = {(item.resource.group, item.resource.kind) for item in objects}
        self._kinds |= {(refused.group, refused.kind) for refused in submission.refused}
        named = (instance.pods for instance in submission.instances if instance.objects)
        self._patterns = _joined([pattern for pattern in named if pattern is not None])
        self._fits: dict[str, bool] = {}
        self._unverified: dict[str, Manifest] = {}

    def has(self, pod: Manifest) -> bool:
        """Whether the pod belongs, as far as is known."""
        metadata = pod["metadata"]
        if metadata["uid"] in self._ours:
            return True
        owners = metadata.get("ownerReferences", ())
        if any(owner["uid"] in self._ours for owner in owners):
            return True
        if ("", "Pod") in self._kinds or any(self._stranger(owner) for owner in owners):
            return False
        if not self._fitting(metadata["name"]):
            return False
        if any(owner["uid"] not in self._accepted for owner in owners):
            self._unverified[metadata["uid"]] = pod
        return True

    async def verify(self, gateway: Gateway) -> bool:
        """Look up the owners of pods that belonged by their names only; whether that excluded any."""
        pods, self._unverified = self._unverified, {}
        known = self._ours | self._accepted | self._foreign if pods else set()
        owners = {
            owner["uid"]: (owner, pod["metadata"].get("namespace"))
            for pod in pods.values()
            for owner in pod["metadata"].get("ownerReferences", ())
            if owner["uid"] not in known
        }
        foreign = len(self._foreign)

        async def look_up(uid: str) -> None:
            belongs = await self._leads_to_us(gateway, *owners[uid], 0)
            {None: self._accepted, True: self._ours, False: self._foreign}[belongs].add(uid)

        if owners:
            await for_each(owners, look_up)
        return len(self._foreign) > foreign

    def _stranger(self, owner: Manifest) -> bool:
        """An owner of the same kind as our objects that is none of them, as that of an earlier run."""
        kind = (owner["apiVersion"].rpartition("/")[0], owner["kind"])
        return owner["uid"] in self._foreign or kind in self._kinds

    def _fitting(self, name: str) -> bool:
        known = self._fits.get(name)
        if known is None:
            known = self._fits[name] = any(pattern.fullmatch(name) for pattern in self._patterns)
        return known

    async def _leads_to_us(self, gateway: Gateway, owner: Manifest, namespace: str | None, depth: int) -> bool | None:
        """True or False when the chain of owners tells; None when it cannot be read to its end."""
        if owner["uid"] in self._ours:
            return True
        if self._stranger(owner):
            return False
        if depth == _DEEPEST:
            return None
        try:
            resource = await gateway.discover(owner["apiVersion"], owner["kind"])
            found = await gateway.get(resource, owner["name"], namespace=namespace if resource.namespaced else None)
        except ClusterError:
            # Gone, or not for us to read: then the name decides.
            return None
        if found["metadata"]["uid"] != owner["uid"]:
            return None
        owners = found["metadata"].get("ownerReferences", ())
        answers = [await self._leads_to_us(gateway, above, namespace, depth + 1) for above in owners]
        if True in answers:
            return True
        return None if None in answers else False


def _joined(patterns: Sequence[re.Pattern[str]]) -> list[re.Pattern[str]]:
    """Fewer, longer patterns: thousands of names against thousands of patterns would take minutes one by one."""
    texts = list(dict.fromkeys(pattern.pattern for pattern in patterns))
    return [
        re.compile("|".join(f"(?:{text})" for text in texts[start : start + _LONGEST_ALTERNATION]), re.ASCII)
        for start in range(0, len(texts), _LONGEST_ALTERNATION)
    ]
