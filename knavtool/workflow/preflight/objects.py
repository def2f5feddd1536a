"""Which objects the tasks of a rendered plan create, and on which of them each task works."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.workflow.objects.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.errors import Violation
    from knavtool.kube.resource import Resource
    from knavtool.workflow.rendered import RenderedPlan
    from knavtool.workflow.task import Item, Name


class PlannedObjects:
    """The tasks in their order, by number; `kinds` has to be filled with what the server says of each wanted kind."""

    def __init__(self, rendered: RenderedPlan) -> None:
        self.tasks = list(rendered.plan.tasks())
        self.kinds: dict[tuple[str, str], Resource] = {}
        self._selections = [Selection.of(task.document) if task.task.selects else None for task in self.tasks]
        chosen = {(one.api_version, one.kind) for one in self._selections if one is not None}
        self.wanted_kinds = rendered.kinds() | rendered.undefined(chosen)
        self._instances = [rendered.of(planned.task).instances for planned in self.tasks]
        self._submissions = {
            planned.scope.submissions[planned.document.id].keys[0]: order
            for order, planned in enumerate(self.tasks)
            if planned.task.submits
        }

    def items(self, order: int, document: int | None = None) -> Iterator[Item]:
        """What a task submits, or those of it that come from one document of the template."""
        items = (item for blocks in self._instances[order] for item in blocks)
        return items if document is None else (item for item in items if item.document == document)

    def first_items(self, order: int) -> Iterator[Item]:
        """One object for each document of the template of a task: the others differ in names and parameters only."""
        return (item for blocks in self._instances[order][:1] for item in blocks)

    def kinds_of(self, order: int) -> Iterator[tuple[str, str]]:
        """(apiVersion, kind) of what a task submits, or chooses."""
        yield from ((item.api_version, item.kind) for item in self.items(order))
        if (selection := self._selections[order]) is not None:
            yield selection.api_version, selection.kind

    def misplaced(self) -> Iterator[Violation]:
        """Namespaces that tasks give for kinds that live in none."""
        for selection in filter(None, self._selections):
            resource = self.kinds.get((selection.api_version, selection.kind))
            if resource is not None and (wrong := selection.misplaced(resource)):
                yield wrong

    def places(self, order: int) -> Iterator[tuple[Resource, str | None]]:
        """The kinds on which a task works, and where; without those of unknown kinds."""
        selection = self._selections[order]
        if selection is None:
            yield from ((resource, namespace) for resource, namespace, _ in self.names(order))
            return
        resource = self.kinds.get((selection.api_version, selection.kind))
        if resource is not None:
            owners = [namespace for _, namespace, _ in self._submitted(order, selection.owner)]
            yield resource, selection.place(resource, owners)

    def of_empty_documents(self) -> Iterator[Violation]:
        """Tasks on the objects of a document that renders to nothing."""
        for planned in self.tasks:
            document = planned.document
            reference = document.params.get("refTaskId") if planned.task.of_one_document else None
            submission = planned.scope.submissions.get(reference) if reference else None
            if submission is None or submission.registration is None:
                continue
            index = document.params.get("index") or 0
            submitted = [self._submissions[key] for key in submission.keys]
            template = submission.registration.template
            if template is not None and not any(item for one in submitted for item in self.items(one, index)):
                place = template.place(index) if index < len(template.blocks) else str(template.file)
                message = f"{place} renders to nothing with the params of {submission.document.id!r}"
                yield document.violation(message, *(["index"] if "index" in document.params else []))

    def names(self, order: int) -> Iterator[Name]:
        """The objects that a task submits, or those that it names or refers to; without those of unknown kinds."""
        task, document = self.tasks[order].task, self.tasks[order].document
        selection = self._selections[order]
        if selection is None:
            index = (document.params.get("index") or 0) if task.of_one_document else None
            reference = document.id if task.submits else document.params.get("refTaskId")
            yield from self._submitted(order, reference, index)
        elif selection.name:
            yield from ((resource, namespace, selection.name) for resource, namespace in self.places(order))

    def _submitted(self, order: int, reference: str | None, index: int | None = None) -> Iterator[Name]:
        """The objects of the SubmitObj with that id, as the task sees it, or those of one document of its template."""
        submission = self.tasks[order].scope.submissions.get(reference) if reference else None
        for key in submission.keys if submission is not None else ():
            for item in self.items(self._submissions[key], index):
                resource = self.kinds.get((item.api_version, item.kind))
                if resource is not None:
                    yield resource, item.place(resource), item.name
