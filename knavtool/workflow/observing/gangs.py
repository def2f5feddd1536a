"""Which pods belong to which object of a SubmitObj: every object is a gang."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.workflow.observing.family import Family
from knavtool.workflow.observing.owners import DEEPEST, Owners
from knavtool.workflow.submission import Submission

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from knavtool.kube.gateway import Gateway
    from knavtool.workflow.observing.pod_log import PodTimes
    from knavtool.workflow.references.amounts import Amount
    from knavtool.workflow.submission import Instance


@dataclass(slots=True, kw_only=True)
class Gang:
    """The pods of one submitted object, of which as many as `amount` says are expected.

    `refused` says why there is no such object, empty if there is one.
    """

    title: str
    amount: Amount
    family: Family = field(repr=False)
    refused: str = ""
    pods: list[PodTimes] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many pods make it whole."""
        return self.amount.least

    @property
    def surplus(self) -> int:
        """How many pods too many hold a place; one that has ended or is being deleted holds none."""
        if self.amount.most is None:
            return 0
        return max(sum(times.holds and times.ended is None for times in self.pods) - self.amount.most, 0)

    @property
    def placed(self) -> list[PodTimes]:
        """The pods that have a place now, or had one until they ended."""
        return [times for times in self.pods if times.holds]


class Gangs:
    """The gangs of a submission; `amounts` says of each of its instances how many pods it has."""

    def __init__(self, submission: Submission, amounts: Sequence[Amount]) -> None:
        self.all: list[Gang] = []
        self._owners: dict[str, Gang] = {}
        self._above = Owners()
        self._family = Family(submission, self._above)
        for instance, amount in zip(submission.instances, amounts, strict=True):
            self._add(instance, amount)

    def _add(self, instance: Instance, amount: Amount) -> None:
        refused = instance.refused[-1].reason if instance.refused and not instance.objects else ""
        gang = Gang(
            title=str(instance),
            amount=amount,
            family=Family(Submission(instances=[instance]), self._above),
            refused=refused,
        )
        self.all.append(gang)
        self._owners.update((item.uid, gang) for item in instance.objects)

    async def sort(self, gateway: Gateway, pods: Iterable[PodTimes]) -> None:
        """Give each pod to the gang that it belongs to."""
        for gang in self.all:
            gang.pods.clear()
        unclear = []
        for times in pods:
            gang_ = self._direct(times)
            if gang_ is not None:
                gang_.pods.append(times)
            elif self._family.may_have(times.pod):
                unclear.append(times)
        await self._above.learn(gateway, (times.pod for times in unclear), self._family.ends)
        by_name = []
        for times in unclear:
            owners = times.pod["metadata"].get("ownerReferences") or ()
            found = [self._leads(owner, 0) for owner in owners]
            gang_ = next((one for one in found if isinstance(one, Gang)), None)
            if gang_ is not None:
                gang_.pods.append(times)
            elif not owners or None in found:
                by_name.append(times)
        for gang in self.all if by_name else ():
            mine = await _members(gang, by_name, gateway)
            gang.pods += mine
            taken = {id(times) for times in mine}
            by_name = [times for times in by_name if id(times) not in taken]

    def _leads(self, owner: Mapping[str, str], depth: int) -> Gang | bool | None:
        """The gang that an owner belongs to; False if it belongs to none, None if nobody knows."""
        if (gang := self._owners.get(owner["uid"])) is not None:
            return gang
        above = self._above.above(owner["uid"])
        if above is None or depth == DEEPEST:
            return False if self._family.ends(owner) else None
        answers = [self._leads(each, depth + 1) for each in above]
        gang = next((one for one in answers if isinstance(one, Gang)), None)
        return gang or (None if None in answers else False)

    def _direct(self, times: PodTimes) -> Gang | None:
        metadata = times.pod["metadata"]
        if (gang := self._owners.get(metadata["uid"])) is not None:
            return gang
        owners = metadata.get("ownerReferences", ())
        return next((found for owner in owners if (found := self._owners.get(owner["uid"])) is not None), None)


async def _members(gang: Gang, candidates: Sequence[PodTimes], gateway: Gateway) -> list[PodTimes]:
    """The pods that belong to a gang through owners in between, or by their names."""
    while True:
        mine = [times for times in candidates if gang.family.has(times.pod)]
        if not await gang.family.verify(gateway):
            return mine
