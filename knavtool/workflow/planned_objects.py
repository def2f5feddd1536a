"""Which objects the tasks of a rendered plan create, and on which of them each task works."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from knavtool.kube.resource import Resource
    from knavtool.workflow.rendering import RenderedPlan
    from knavtool.workflow.task import Item

    Name = tuple[Resource, str | None, str]

_OF_ONE_BLOCK = frozenset({"CheckObj", "UpdateObj"})
"""Task types that work on the objects of one document of a template."""
_ALL_BLOCKS = slice(None)


class PlannedObjects:
    """The tasks in their order, by number; `kinds` has to be filled with what the server says of each wanted kind."""

    def __init__(self, rendered: RenderedPlan) -> None:
        self.tasks = list(rendered.plan.tasks())
        self.kinds: dict[tuple[str, str], Resource] = {}
        self.wanted_kinds = rendered.kinds()
        self._instances = [rendered.of(planned.task).instances for planned in self.tasks]
        self._submissions = {
            planned.scope.submissions[planned.document.id].keys[0]: order
            for order, planned in enumerate(self.tasks)
            if planned.document.type == "SubmitObj"
        }

    def items(self, order: int, block: slice = _ALL_BLOCKS) -> Iterator[Item]:
        """What a task submits, or those of it that come from some documents of the template."""
        return (item for blocks in self._instances[order] for item in blocks[block])

    def first_items(self, order: int) -> Iterator[Item]:
        """One object for each document of the template of a task: the others differ in names and parameters only."""
        return (item for blocks in self._instances[order][:1] for item in blocks)

    def names(self, order: int) -> Iterator[Name]:
        """The objects of a SubmitObj, or of that to which another task refers; without those of unknown kinds."""
        document = self.tasks[order].document
        reference = document.id if document.type == "SubmitObj" else document.params.get("refTaskId")
        submission = self.tasks[order].scope.submissions.get(reference) if reference else None
        index = document.params.get("index") or 0
        block = slice(index, index + 1) if document.type in _OF_ONE_BLOCK else _ALL_BLOCKS
        for key in submission.keys if submission is not None else ():
            for item in self.items(self._submissions[key], block):
                resource = self.kinds.get((item.api_version, item.kind))
                if resource is not None:
                    yield resource, item.place(resource), item.name
