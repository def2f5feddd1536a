"""CheckObj: wait until a state is part of objects, of all or of as many as there should be, at the same moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

from knavtool.kube.merging import watch_all
from knavtool.kube.resource import EVENTS
from knavtool.workflow.objects.following import follow
from knavtool.workflow.objects.limits import Limit
from knavtool.workflow.objects.selected import check_selected, object_lines
from knavtool.workflow.objects.selection import Selection, kind_conditions, selection_conditions, selection_parameters
from knavtool.workflow.observing.diagnosis import diagnose
from knavtool.workflow.observing.matching import mismatches
from knavtool.workflow.references.amounts import Amount, AmountDocument
from knavtool.workflow.references.checks import index_violations
from knavtool.workflow.rights import FOLLOW, SUBMITTED, Rule, Use
from knavtool.workflow.submission import refusals
from knavtool.workflow.task import Outcome, Task, timeout_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.kube.resource import Manifest
    from knavtool.kube.store import Watcher
    from knavtool.workflow.observing.matching import Mismatch
    from knavtool.workflow.references.scope import Scope
    from knavtool.workflow.submission import Refused, Submission, Submitted
    from knavtool.workflow.task import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckObj(Task):
    """Without a timeout one look decides. The objects are those of a SubmitObj, or chosen by their kind."""

    ref: str
    selection: Selection | None
    count: AmountDocument | None
    state: Mapping[str, Any]
    index: int
    timeout: float | None

    summary: ClassVar[str] = "Waits until fields of objects are as expected."
    schema: ClassVar[Mapping[str, Any]] = {
        "properties": {
            **selection_parameters("look at"),
            "state": {
                "type": "object",
                "minProperties": 1,
                "description": "Fields of the object; without them it only has to exist.",
            },
            "index": {
                "type": ["integer", "null"],
                "minimum": 0,
                "description": "Which document of the template, from 0.",
            },
            "count": {
                "$ref": "#/$defs/amount",
                "description": (
                    "How many objects match: a number, or min and max; 0 means none. Without it all do, and at "
                    "least one."
                ),
            },
            "timeout": {
                "$ref": "#/$defs/duration",
                "description": "How long to wait for it; without it one look decides.",
            },
        },
        "allOf": [
            *selection_conditions(),
            kind_conditions(index=True),
            {"if": {"required": ["refTaskId"], "not": {"required": ["count"]}}, "then": {"required": ["state"]}},
        ],
    }
    selects: ClassVar[bool] = True
    of_one_document: ClassVar[bool] = True
    rights: ClassVar[Sequence[Rule]] = (
        Rule(FOLLOW, SUBMITTED),
        Rule(("get",), SUBMITTED, use=Use.SOMETIMES, when="ownedBy"),
        Rule(FOLLOW, EVENTS, use=Use.SOMETIMES),
    )

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        params = document.params
        return cls(
            document=document,
            ref=params.get("refTaskId", ""),
            selection=Selection.of(document),
            count=AmountDocument.of(document, "count"),
            state=params.get("state") or {},
            index=params.get("index") or 0,
            timeout=timeout_of(document),
        )

    def check(self, scope: Scope) -> Iterator[Violation]:
        if self.count is not None:
            yield from self.count.violations({})
        if self.selection is not None:
            yield from self.selection.violations(scope)
            return
        planned = scope.submissions.get(self.ref)
        if planned is None:
            yield scope.unsubmitted(self.document, self.ref)
            return
        yield from index_violations(self.document, planned, self.index)

    async def run(self, context: Context, scope: Scope) -> Outcome:  # noqa: ARG002 - references are resolved
        amount = self.count.plain() if self.count is not None else None
        if self.selection is not None:
            choice = await self.selection.choose(context)
            return await check_selected(context, choice, self.state, amount, self.timeout)
        submission = context.submissions[self.ref].block(self.index)
        total = sum(len(instance.objects) + len(instance.refused) for instance in submission.instances)
        sight = _MatchState(
            state=dict(self.state),
            objects={item.uid: item for item in submission.objects()},
            amount=amount or Amount.exactly(total),
        )
        waited = False
        if self.timeout is None:
            await _look(sight, submission, context)
        else:
            waited = not await self._follow(sight, submission, context)
        return await self._outcome(sight, submission.refused, context, waited=waited)

    async def _follow(self, sight: _MatchState, submission: Submission, context: Context) -> bool:
        """Wait until the verdict is clear; whether it came to that in time. What was refused will not come."""
        # An object that a store does not show yet is no object that is not there.
        watcher: Watcher = context.stores if self.count is None else context.gateway
        async with Limit(self.timeout, "objects", context) as limit:
            return await follow(watch_all(watcher, submission.places), sight, limit, context)
        return False

    async def _outcome(
        self, sight: _MatchState, refused: Sequence[Refused], context: Context, *, waited: bool
    ) -> Outcome:
        total = len(sight.objects) + len(refused)
        data: dict[str, object] = {"expected": sight.amount.data(), "matching": sight.matching}
        counts = f"{sight.matching} of {total} objects match"
        if sight.satisfied:
            return Outcome(message=counts, data=data)
        after = f" after {self.timeout:g} s" if waited else ""
        expected = f", expected {sight.amount}" if self.count is not None else ""
        wrong = sight.wrong()
        data["mismatches"] = {str(item): [one.data() for one in found] for item, found in wrong[:100]}
        if refused:
            data["refused"] = {str(item): item.reason for item in refused[:100]}
        lines = [f"{counts}{after}{expected}", *object_lines(wrong), *refusals(refused)]
        found = await diagnose(context.gateway, [item for item, _ in wrong])
        data |= found.data()
        return Outcome(passed=False, message="\n".join([*lines, *found.lines()]), data=data)


async def _look(sight: _MatchState, submission: Submission, context: Context) -> None:
    """One list of each kind and namespace."""
    only = f"metadata.name={next(iter(sight.objects.values())).name}" if len(sight.objects) == 1 else ""
    for resource, namespace in submission.places:
        for live in await context.gateway.list(resource, namespace=namespace, field_selector=only):
            await sight.put(live)


@dataclass(slots=True, kw_only=True)
class _MatchState:
    """What was seen last of each object that exists, by its uid: how it differs from the expected state."""

    state: Mapping[str, Any]
    objects: Mapping[str, Submitted]
    amount: Amount
    matching: int = 0
    _compared: dict[str, list[Mismatch]] = field(default_factory=dict)

    @property
    def satisfied(self) -> bool:
        """Whether as many match as there should be."""
        return self.matching in self.amount

    async def decided(self) -> bool:
        """Whether the expectation is met, or all match and that are too few because the others were refused."""
        return self.satisfied or self.matching == len(self.objects) < self.amount.least

    def progress(self) -> tuple[int, int, str]:
        """How many objects match, of how many."""
        return self.matching, len(self.objects), ""

    async def put(self, live: Manifest) -> None:
        """An object is new or has changed."""
        item = self.objects.get(live["metadata"]["uid"])
        if item is None:
            return
        if item.version and int(live["metadata"]["resourceVersion"]) < item.version:
            # As it was before our own last write.
            return
        self.drop(item.uid)
        self._compared[item.uid] = mismatches(self.state, live)
        self.matching += not self._compared[item.uid]

    def drop(self, uid: str) -> None:
        """An object is gone."""
        if uid in self._compared:
            self.matching -= not self._compared.pop(uid)

    def wrong(self) -> list[tuple[Submitted, list[Mismatch]]]:
        """Objects that do not match; one without mismatches does not exist."""
        return [
            (item, self._compared.get(uid, []))
            for uid, item in self.objects.items()
            if uid not in self._compared or self._compared[uid]
        ]
