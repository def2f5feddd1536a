"""CheckObj: wait until a state is part of objects, of all or of as many as there should be, at the same moment."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from knavtool.kube.gateway import Change
from knavtool.kube.watching import key_of
from knavtool.workflow.amounts import Amount, AmountDocument
from knavtool.workflow.diagnosis import last_events
from knavtool.workflow.matching import mismatches
from knavtool.workflow.references import index_violations
from knavtool.workflow.selected import check_selected, object_lines
from knavtool.workflow.selection import Selection
from knavtool.workflow.task import BETWEEN_SIGNS, NOTHING, Outcome, only_namespace, timeout_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.helm import Helm
    from knavtool.kube.resource import Manifest
    from knavtool.kube.store import Watcher
    from knavtool.workflow.matching import Mismatch
    from knavtool.workflow.scope import Scope
    from knavtool.workflow.task import Context, Rendering, Submitted


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckObj:
    """Without a timeout one look decides. The objects are those of a SubmitObj, or chosen by their kind."""

    document: TaskDocument
    ref: str
    selection: Selection | None
    count: AmountDocument | None
    state: Mapping[str, Any]
    index: int
    timeout: float | None

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
            yield scope.unknown(self.document, self.ref, "SubmitObj")
            return
        yield from index_violations(self.document, planned, self.index)

    async def render(self, scope: Scope, helm: Helm) -> Rendering:  # noqa: ARG002 - nothing is sent
        return NOTHING

    async def run(self, context: Context, scope: Scope) -> Outcome:  # noqa: ARG002 - references are resolved
        amount = self.count.plain() if self.count is not None else None
        if self.selection is not None:
            choice = await self.selection.choose(context)
            return await check_selected(context, choice, self.state, amount, self.timeout)
        objects = context.submissions[self.ref].block(self.index)
        sight = _Sight(
            state=dict(self.state),
            objects={item.key: item for item in objects},
            amount=amount or Amount.exactly(len(objects)),
        )
        namespace = only_namespace(item.namespace for item in objects)
        resource = objects[0].resource
        only = f"metadata.name={objects[0].name}" if len(objects) == 1 else ""
        if self.timeout is None:
            for live in await context.gateway.list(resource, namespace=namespace, field_selector=only):
                sight.put(live)
            return await self._outcome(sight, context)
        # An object that a store does not show yet is no object that is not there.
        watcher: Watcher = context.stores if self.count is None else context.gateway
        synced = False
        told = -BETWEEN_SIGNS
        try:
            async with (
                asyncio.timeout(self.timeout),
                aclosing(watcher.watch(resource, namespace=namespace)) as events,
            ):
                async for event in events:
                    synced = synced or event.synced
                    if event.change is Change.DELETED:
                        sight.drop(event.object)
                    elif not event.synced:
                        sight.put(event.object)
                    if synced and (now := context.clock()) - told >= BETWEEN_SIGNS:
                        told = now
                        context.step.progress(sight.matching, len(objects))
                    if synced and sight.satisfied:
                        break
        except TimeoutError:
            pass
        return await self._outcome(sight, context)

    async def _outcome(self, sight: _Sight, context: Context) -> Outcome:
        total = len(sight.objects)
        data: dict[str, object] = {"expected": sight.amount.data(), "matching": sight.matching}
        counts = f"{sight.matching} of {total} objects match"
        if sight.satisfied:
            return Outcome(message=counts, data=data)
        after = f" after {self.timeout:g} s" if self.timeout is not None else ""
        expected = f", expected {sight.amount}" if self.count is not None else ""
        wrong = sight.wrong()
        data["mismatches"] = {str(item): [one.data() for one in found] for item, found in wrong[:100]}
        lines = [f"{counts}{after}{expected}", *object_lines(wrong)]
        events = await last_events(context.gateway, [item for item, _ in wrong])
        data["events"] = events.data()
        return Outcome(passed=False, message="\n".join([*lines, *events.lines()]), data=data)


@dataclass(slots=True, kw_only=True)
class _Sight:
    """What was seen last of each object: how it differs from the expected state."""

    state: Mapping[str, Any]
    objects: Mapping[tuple[str, str], Submitted]
    amount: Amount
    matching: int = 0
    _compared: dict[tuple[str, str], list[Mismatch]] = field(default_factory=dict)

    @property
    def satisfied(self) -> bool:
        """Whether as many match as there should be."""
        return self.matching in self.amount

    def put(self, live: Manifest) -> None:
        """An object is new or has changed."""
        key = key_of(live)
        item = self.objects.get(key)
        if item is None or live["metadata"]["uid"] != item.uid:
            return
        if item.version and int(live["metadata"]["resourceVersion"]) < item.version:
            # As it was before our own last write.
            return
        self._forget(key)
        self._compared[key] = mismatches(self.state, live)
        self.matching += not self._compared[key]

    def drop(self, live: Manifest) -> None:
        """An object is gone."""
        item = self.objects.get(key_of(live))
        if item is not None and live["metadata"]["uid"] == item.uid:
            self._forget(item.key)

    def _forget(self, key: tuple[str, str]) -> None:
        if key in self._compared:
            self.matching -= not self._compared.pop(key)

    def wrong(self) -> list[tuple[Submitted, list[Mismatch]]]:
        """Objects that do not match; one without mismatches does not exist."""
        return [
            (item, self._compared.get(key, []))
            for key, item in self.objects.items()
            if key not in self._compared or self._compared[key]
        ]
