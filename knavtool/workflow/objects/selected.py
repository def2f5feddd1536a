"""The check of objects that were chosen by kind, and not by the task that submitted them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from knavtool.workflow.objects.following import follow
from knavtool.workflow.objects.limits import Limit
from knavtool.workflow.objects.selection import known, whole
from knavtool.workflow.observing.diagnosis import diagnose
from knavtool.workflow.observing.matching import mismatches
from knavtool.workflow.task import Outcome
from knavtool.workflow.wording import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knavtool.kube.resource import Manifest
    from knavtool.workflow.objects.selection import Choice
    from knavtool.workflow.observing.matching import Mismatch
    from knavtool.workflow.references.amounts import Amount
    from knavtool.workflow.submission import Submitted
    from knavtool.workflow.task import Context

    Compared = tuple[Submitted, list[Mismatch]]

SHOWN = 10
"""The objects that a message tells of."""


@dataclass(slots=True, kw_only=True)
class _MatchState:
    """What was seen last of each chosen object: how it differs from the expected state.

    Without an `amount` all have to match, and there has to be one. `unclear` are objects whose owners are gone: they
    may be some of those that are meant, so that no upper limit is kept for certain while they are there.
    """

    choice: Choice
    state: Mapping[str, Any]
    amount: Amount | None
    found: dict[str, Compared] = field(default_factory=dict)
    unclear: dict[str, Submitted] = field(default_factory=dict)
    matching: int = 0

    @property
    def satisfied(self) -> bool:
        """Whether the expectation is met at this moment."""
        if self.amount is None:
            return bool(self.found) and self.matching == len(self.found)
        unlimited = self.amount.most is None
        return self.matching in self.amount and (unlimited or not self.unclear)

    async def put(self, live: Manifest) -> None:
        """An object is new or has changed."""
        uid = live["metadata"]["uid"]
        taken = await self.choice.takes(live)
        self.drop(uid)
        item = known(self.choice.resource, live)
        if taken is False:
            return
        wrong = mismatches(self.state, whole(self.choice.resource, live))
        if taken:
            self.found[uid] = (item, wrong)
            self.matching += not wrong
        elif not wrong:
            self.unclear[uid] = item

    def drop(self, uid: str) -> None:
        """An object is gone."""
        if (compared := self.found.pop(uid, None)) is not None:
            self.matching -= not compared[1]
        self.unclear.pop(uid, None)

    def progress(self) -> tuple[int, int, str]:
        """How many of the objects match, of how many."""
        return self.matching, self.expected(), ""

    async def decided(self) -> bool:
        """Whether the expectation is met at this moment."""
        return self.satisfied

    def expected(self) -> int:
        """How many there should be, as far as that is a number."""
        return self.amount.least if self.amount is not None else max(len(self.found), 1)


async def check_selected(
    context: Context, choice: Choice, state: Mapping[str, Any], amount: Amount | None, timeout: float | None
) -> Outcome:
    """Wait up to `timeout` seconds, None for one look, until as many of the objects match as there should be."""
    sight = _MatchState(choice=choice, state=state, amount=amount)
    if timeout is None:
        for live in await choice.candidates():
            await sight.put(live)
    else:
        async with Limit(timeout, plural(choice.resource.kind), context) as limit:
            await follow(choice.watch(), sight, limit, context)
    return await _outcome(sight, context, f" after {timeout:g} s" if timeout is not None else "")


async def _outcome(sight: _MatchState, context: Context, after: str) -> Outcome:
    amount = sight.amount
    data: dict[str, object] = {
        "expected": amount.data() if amount is not None else sight.expected(),
        "matching": sight.matching,
        "found": len(sight.found),
    }
    kind = sight.choice.resource.kind
    if sight.satisfied:
        does = _does(sight)
        if sight.found or (amount is not None and amount.least):
            return Outcome(message=f"{sight.matching} of {len(sight.found)} {plural(kind)} {does}", data=data)
        return Outcome(message=f"there is no {sight.choice.words()}", data=data)
    lines = [_head(sight, after)]
    if not sight.found:
        lines += filter(None, [await sight.choice.instead()])
    if sight.unclear:
        names = ", ".join(str(item) for item in list(sight.unclear.values())[:SHOWN])
        lines.append(f"whose owners are gone, so that they may be some of them: {names}")
    wrong = [(item, found) for item, found in sight.found.values() if found]
    too_many = amount is not None and amount.most is not None and sight.matching > amount.most
    if too_many:
        lines += object_lines([(item, found) for item, found in sight.found.values() if not found], "")
    else:
        lines += object_lines(wrong)
    data["mismatches"] = {str(item): [one.data() for one in found] for item, found in wrong[:100]}
    found = await diagnose(context.gateway, [item for item, _ in wrong])
    data |= found.data()
    return Outcome(passed=False, message="\n".join([*lines, *found.lines()]), data=data)


def _head(sight: _MatchState, after: str) -> str:
    words = sight.choice.words()
    if not sight.found:
        expected = f", expected {sight.amount}" if sight.amount is not None and not sight.unclear else ""
        return f"there is no {words}{after}{expected}"
    does = _does(sight)
    counts = f"{sight.matching} of {len(sight.found)} {plural(sight.choice.resource.kind)} {does}{after}"
    return f"{counts}, expected {'all' if sight.amount is None else sight.amount}: {words}"


def _does(sight: _MatchState) -> str:
    """What they do: match a state, or be there."""
    return "match" if sight.state else "exist"


def object_lines(wrong: Sequence[Compared], missing: str = ": does not exist") -> list[str]:
    """Lines about objects and their mismatches; `missing` is said of one that has none."""
    lines: list[str] = []
    for item, found in wrong[:SHOWN]:
        lines.append(f"{item}:" if found else f"{item}{missing}")
        lines += [f"  {mismatch}" for mismatch in found]
    if len(wrong) > SHOWN:
        lines.append(f"and {len(wrong) - SHOWN} more objects")
    return lines
