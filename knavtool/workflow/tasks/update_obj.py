"""UpdateObj: change objects, their status through its own subresource."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from knavtool.errors import DeadlineExceeded, InvalidDocument, NotFound
from knavtool.kube.concurrency import for_each
from knavtool.kube.resource import NODES
from knavtool.workflow.objects.possession import Chosen, choose_own
from knavtool.workflow.objects.selection import Selection, kind_conditions, selection_conditions, selection_parameters
from knavtool.workflow.observing.ownership import Whose
from knavtool.workflow.references.checks import contradictions, identity_violations, index_violations
from knavtool.workflow.rights import SUBMITTED, Rule, Use
from knavtool.workflow.submission import NotSubmitted
from knavtool.workflow.task import Outcome, Task, timeout_of
from knavtool.workflow.undoing.ledger import Changed
from knavtool.workflow.undoing.patching import Patch
from knavtool.workflow.undoing.writing import change
from knavtool.workflow.wording import counted, not_done

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.workflow.references.scope import Scope
    from knavtool.workflow.submission import Refused, Submitted
    from knavtool.workflow.task import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateObj(Task):
    """Merge patches (RFC 7386) of all top-level fields of `state`; null removes a field, a list replaces a list."""

    ref: str
    selection: Selection | None
    allow_others: bool
    state: Mapping[str, Any]
    index: int
    timeout: float | None

    summary: ClassVar[str] = "Changes fields of objects."
    schema: ClassVar[Mapping[str, Any]] = {
        "required": ["state"],
        "properties": {
            **selection_parameters("change"),
            "state": {
                "type": "object",
                "minProperties": 1,
                "description": "A merge patch of the object; status is written through its subresource.",
            },
            "index": {
                "type": ["integer", "null"],
                "minimum": 0,
                "description": "Which document of the template, from 0.",
            },
            "allowOthers": {
                "type": ["boolean", "null"],
                "description": "Change objects that this run did not make, too.",
            },
            "timeout": {
                "$ref": "#/$defs/duration",
                "description": "How long the changes may take; without it, as long as they need.",
            },
        },
        "allOf": [
            *selection_conditions("allowOthers"),
            kind_conditions(index=True, narrowed=True),
        ],
    }
    any_timeout: ClassVar[bool] = True
    selects: ClassVar[bool] = True
    of_one_document: ClassVar[bool] = True
    rights: ClassVar[Sequence[Rule]] = (
        Rule(("patch",), SUBMITTED),
        Rule(("patch",), SUBMITTED, "status", when="state.status"),
        Rule(("list",), SUBMITTED, when="kind"),
        # Those between a submitted object and what it owns are read as well.
        Rule(("get",), SUBMITTED, use=Use.SOMETIMES),
    )

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        params = document.params
        return cls(
            document=document,
            ref=params.get("refTaskId", ""),
            selection=Selection.of(document),
            allow_others=bool(params.get("allowOthers")),
            state=params["state"],
            index=params.get("index") or 0,
            timeout=timeout_of(document),
        )

    def check(self, scope: Scope) -> Iterator[Violation]:
        if not isinstance(self.state.get("metadata", {}), dict):
            yield self.document.violation("expected a map", "state", "metadata")
        if not Patch.of(self.state):
            yield from scope.shared.warn_if_compat(
                self.document.violation("names no field that can be changed", "state")
            )
        if self.selection is not None:
            yield from self.selection.violations(scope)
            for violation in contradictions(self.document, self.state, self.selection.facts()):
                yield from scope.shared.warn_if_compat(violation)
            return
        planned = scope.submissions.get(self.ref)
        if planned is None:
            yield scope.unsubmitted(self.document, self.ref)
            return
        yield from index_violations(self.document, planned, self.index)
        for violation in identity_violations(self.document, planned, self.index, self.state):
            yield from scope.shared.warn_if_compat(violation)

    async def run(self, context: Context, scope: Scope) -> Outcome:
        missing: Sequence[Refused] = ()
        if self.selection is not None:
            chosen = await choose_own(context, self.selection, allow_others=self.allow_others)
        else:
            submission = context.submissions[self.ref].block(self.index)
            chosen = [Chosen(item=item) for item in submission.objects()]
            missing = submission.refused
        objects = [one.item for one in chosen]
        wrong = [violation for item in objects for violation in _contradictions(self.document, self.state, item)]
        if wrong and not scope.shared.lenient:
            raise InvalidDocument(wrong[:1])
        patch = Patch.of(self.state)
        for item in {item.resource: item for item in objects}.values() if patch.status else ():
            await _require_status(context, item)
        group = context.ledger.group(f"changes of {self.document.id}")
        changed: list[Submitted] = []
        same = context.submissions.by_uid()

        async def update(one: Chosen) -> None:
            item, former = one.item, Patch()
            ours = one.whose is Whose.RUN or context.ledger.has_made(item.resource, item.namespace, item.name)
            if context.ledger.restores and not ours:
                former = patch.reverse(await context.gateway.get(item.resource, item.name, namespace=item.namespace))
            # A node is known by its name: one that a cleanup has made again is to be as before, too.
            uid = item.uid if item.resource != NODES else ""
            note = Changed(resource=item.resource, namespace=item.namespace, name=item.name, patch=former, uid=uid)
            item.version = await change(context.gateway, group, patch, note)
            for known in same.get(item.uid, ()):
                known.version = item.version
            changed.append(item)
            context.step.progress(len(changed), len(objects))

        try:
            async with asyncio.timeout(self.timeout):
                refused = await for_each(chosen, update)
        except TimeoutError:
            message = f"{len(changed)} of {len(objects)} objects changed after {self.timeout:g} s{context.heard()}"
            raise DeadlineExceeded(message) from None
        data = {"updated": len(changed)}
        if refused:
            context.step.data.update(data)
            raise not_done("changed", refused, len(objects))
        if missing:
            context.step.data.update(data)
            raise NotSubmitted.because("changed", missing, len(objects) + len(missing))
        return Outcome(message=f"{counted((item.resource.kind, item) for item in changed)} changed", data=data)


async def _require_status(context: Context, item: Submitted) -> None:
    """Ask with a patch that changes nothing, so that nothing is changed if the other half could not be."""
    try:
        await context.gateway.patch(item.resource, item.name, {}, namespace=item.namespace, subresource="status")
    except NotFound as error:
        # The same status for an object that is gone; then this raises an error that says so.
        await context.gateway.get(item.resource, item.name, namespace=item.namespace)
        resource = item.resource
        raise NotFound(
            f"{resource.api_version} {resource.kind} has no status that can be written; nothing was changed",
            status=error.status,
            reason=error.reason,
            hint="leave status out of state; for a kind of your own add `subresources: {status: {}}` to its definition",
        ) from error


def _contradictions(document: TaskDocument, state: Mapping[str, Any], item: Submitted) -> Iterator[Violation]:
    """A `state` of another object than this one."""
    resource = item.resource
    facts = {("apiVersion",): resource.api_version, ("kind",): resource.kind, ("metadata", "name"): item.name}
    yield from contradictions(document, state, facts | {("metadata", "namespace"): item.namespace or ""})
