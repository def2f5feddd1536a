"""Which pods belong to the objects of a SubmitObj.

A pod belongs if its owner references lead to one of the objects, directly or through owners in between (JobSet, Job,
Pod), or if its whole name fits a pod name pattern and nothing shows that it belongs to something else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from knavtool.workflow.observing.owners import DEEPEST, Owners

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knavtool.kube.gateway import Gateway
    from knavtool.kube.resource import Manifest
    from knavtool.workflow.submission import Submission

_LONGEST_ALTERNATION = 200
_POD = ("", "Pod")


class Family:
    """Decides by what is known so far; `verify` asks the server about owners that only the name speaks for.

    Several families may share the owners that they read.
    """

    def __init__(self, submission: Submission, owners: Owners | None = None) -> None:
        self._owners = owners or Owners()
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
        if not self.may_have(pod):
            return False
        metadata = pod["metadata"]
        owners = metadata.get("ownerReferences") or ()
        if metadata["uid"] in self._ours or any(owner["uid"] in self._ours for owner in owners):
            return True
        unclear = [owner for owner in owners if owner["uid"] not in self._accepted]
        if unclear:
            self._unverified[metadata["uid"]] = pod
        return not any(self._of_our_kind(owner) for owner in unclear)

    def may_have(self, pod: Manifest) -> bool:
        """Whether the pod may belong; otherwise nothing that could be learned would show that it does."""
        metadata = pod["metadata"]
        owners = metadata.get("ownerReferences") or ()
        if metadata["uid"] in self._ours or any(owner["uid"] in self._ours for owner in owners):
            return True
        if any(owner["uid"] in self._foreign or self.ends(owner) for owner in owners):
            return False
        if _POD in self._kinds and (not owners or len(self._kinds) == 1):
            return False
        return self._fitting(metadata["name"])

    async def verify(self, gateway: Gateway) -> bool:
        """Look up the owners of pods that belonged by their names only; whether that changes any answer."""
        pods, self._unverified = self._unverified, {}
        await self._owners.learn(gateway, pods.values(), self.ends)
        changed = False
        for pod in pods.values():
            for owner in pod["metadata"].get("ownerReferences") or ():
                belongs = self._leads_to_us(owner, 0)
                known = {None: self._accepted, True: self._ours, False: self._foreign}[belongs]
                if owner["uid"] not in known and belongs is not None:
                    # Until now the name spoke for the pod, or the kind of its owner against it.
                    changed = changed or belongs == self._of_our_kind(owner)
                known.add(owner["uid"])
        return changed

    def ends(self, owner: Mapping[str, str]) -> bool:
        """Whether nothing above this owner matters, because it decides."""
        return owner["uid"] in self._ours or (len(self._kinds) == 1 and self._of_our_kind(owner))

    def _of_our_kind(self, owner: Mapping[str, str]) -> bool:
        """Whether an owner that is none of our objects, as one of an earlier run, is of the kind of one.

        If there are several kinds, our object of another kind may have made it.
        """
        return (owner["apiVersion"].rpartition("/")[0], owner["kind"]) in self._kinds

    def _fitting(self, name: str) -> bool:
        known = self._fits.get(name)
        if known is None:
            known = self._fits[name] = any(pattern.fullmatch(name) for pattern in self._patterns)
        return known

    def _leads_to_us(self, owner: Mapping[str, str], depth: int) -> bool | None:
        """True or False when the chain of owners tells; None when it cannot be read to its end."""
        if owner["uid"] in self._ours:
            return True
        if self.ends(owner):
            return False
        above = self._owners.above(owner["uid"])
        if above is None or depth == DEEPEST:
            # Gone, or not for us to read: then the name decides, but not for one of a kind of our own.
            return False if self._of_our_kind(owner) else None
        answers = [self._leads_to_us(each, depth + 1) for each in above]
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
