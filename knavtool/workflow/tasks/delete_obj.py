"""DeleteObj: delete what a SubmitObj created, or what is chosen by its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from knavtool.errors import InvalidDocument
from knavtool.kube.concurrency import for_each
from knavtool.kube.resource import JOBS, NODES, PODS
from knavtool.workflow.objects.possession import Chosen, choose_own, irreplaceable, remember
from knavtool.workflow.objects.selection import Selection, kind_conditions, selection_conditions, selection_parameters
from knavtool.workflow.rights import FOLLOW, SUBMITTED, Rule, Use
from knavtool.workflow.task import Outcome, Task, timeout_of
from knavtool.workflow.undoing.waits import Leaving
from knavtool.workflow.wording import counted, not_done

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.workflow.references.scope import Scope
    from knavtool.workflow.submission import Submitted
    from knavtool.workflow.task import Context

_LONGEST_WAIT = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteObj(Task):
    """Delete in the background; with `wait` until the objects are gone."""

    ref: str
    selection: Selection | None
    allow_others: bool
    wait: bool
    timeout: float

    summary: ClassVar[str] = "Deletes objects."
    schema: ClassVar[Mapping[str, Any]] = {
        "properties": {
            **selection_parameters("delete"),
            "wait": {"type": ["boolean", "null"], "description": "Wait until the objects are gone."},
            "allowOthers": {
                "type": ["boolean", "null"],
                "description": "Delete objects that this run did not make, too.",
            },
            "timeout": {
                "$ref": "#/$defs/duration",
                "description": "How long to wait until the objects are gone, together with wait; 5m if it is left out.",
            },
        },
        "allOf": [
            *selection_conditions("allowOthers"),
            kind_conditions(narrowed=True),
        ],
    }
    any_timeout: ClassVar[bool] = True
    selects: ClassVar[bool] = True
    deletes: ClassVar[bool] = True
    rights: ClassVar[Sequence[Rule]] = (
        Rule(("delete",), SUBMITTED),
        Rule(FOLLOW, SUBMITTED, when="wait"),
        Rule(("list",), SUBMITTED, when="kind"),
        Rule(("get",), SUBMITTED, use=Use.SOMETIMES, when="kind"),
        # The cleanup brings back what was of others, and nodes as Configure makes them.
        Rule(("create",), SUBMITTED, use=Use.CLEANUP, when="allowOthers"),
        Rule(("create", "patch", *FOLLOW), NODES, use=Use.SOMETIMES, of=NODES),
        Rule(("patch",), NODES, "status", use=Use.SOMETIMES, of=NODES),
        Rule(FOLLOW, PODS, when="wait", of=JOBS),
    )

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        return cls(
            document=document,
            ref=document.params.get("refTaskId", ""),
            selection=Selection.of(document),
            allow_others=bool(document.params.get("allowOthers")),
            wait=bool(document.params.get("wait")),
            timeout=timeout_of(document) or _LONGEST_WAIT,
        )

    def check(self, scope: Scope) -> Iterator[Violation]:
        if self.selection is not None:
            yield from self.selection.violations(scope)
        elif self.ref not in scope.submissions:
            yield scope.unsubmitted(self.document, self.ref)

    async def run(self, context: Context, scope: Scope) -> Outcome:  # noqa: ARG002 - references are resolved
        chosen, never = await self._chosen(context)
        objects = [one.item for one in chosen]
        group = context.ledger.group(f"deletions of {self.document.id}")
        await remember(context, group, chosen)
        deleted: list[Submitted] = []

        async def delete(item: Submitted) -> None:
            if await context.gateway.delete(item.resource, item.name, namespace=item.namespace, uid=item.uid):
                deleted.append(item)
            context.ledger.forget(item.resource, item.namespace, item.name)
            context.step.progress(len(deleted), len(objects))

        refused = await for_each(objects, delete)
        data = {"deleted": len(deleted), "gone": len(objects) - len(deleted) - len(refused)}
        context.step.data.update(data)
        if refused:
            raise not_done("deleted", refused, len(objects))
        if self.wait:
            # Pods go after their Jobs.
            await Leaving(objects).until_gone(context.stores, timeout=self.timeout, pods=True)
        gone = f", {data['gone']} gone already" if data["gone"] else ""
        gone += f", {never} never created" if never else ""
        return Outcome(
            message=f"{counted((item.resource.kind, item) for item in deleted) or 'nothing'} deleted{gone}", data=data
        )

    async def _chosen(self, context: Context) -> tuple[list[Chosen], int]:
        """What to delete, and how many objects of the SubmitObj there never were."""
        if self.selection is None:
            submission = context.submissions[self.ref]
            return [Chosen(item=item) for item in submission.objects()], len(submission.refused)
        chosen = await choose_own(context, self.selection, allow_others=self.allow_others)
        if lost := [one for one in chosen if irreplaceable(one)]:
            kind = self.selection.kind
            raise InvalidDocument(
                [self.document.violation(f"{lost[0]} is of others, and a {kind} cannot be brought back", "kind")]
            )
        return chosen, 0
