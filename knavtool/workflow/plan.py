"""The plan of a command: all tasks of all its files, references resolved, every error found at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.errors import InvalidDocument
from knavtool.workflow.scope import Scope
from knavtool.workflow.tasks import TASKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from knavtool.documents.workflow import WorkflowDocument
    from knavtool.errors import Violation
    from knavtool.workflow.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWorkflow:
    """One file's tasks in their order."""

    name: str
    description: str
    file: Path
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a command will do; nothing in it is unresolved."""

    workflows: tuple[PlannedWorkflow, ...]
    scope: Scope

    def tasks(self) -> Iterator[Task]:
        """All tasks in the order in which they run."""
        for workflow in self.workflows:
            yield from workflow.tasks


def build(workflows: Sequence[WorkflowDocument], *, search: Sequence[Path], within: Sequence[Path] = ()) -> Plan:
    """Resolve everything; raises InvalidDocument with all that is wrong in any of the files.

    The files share one scope, so that one file may register what another submits. `search` holds the directories in
    which templates are looked for before the workflow's own. With `within`, no template is read that lies outside of
    these directories, and the files of the workflows are named relative to the first of them.
    """
    later = {
        (task.type, task.id): task.document.where(("tasks", task.index, "id"))
        for workflow in reversed(workflows)
        for task in reversed(workflow.tasks)
    }
    scope = Scope(
        search=[directory.resolve() for directory in search],
        within=[directory.resolve() for directory in within],
        later=later,
    )
    wrong: list[Violation] = []
    planned = []
    for workflow in workflows:
        tasks: list[Task] = []
        for document in workflow.tasks:
            type_ = TASKS.get(document.type)
            if type_ is None:
                place = ("tasks", document.index, "type")
                wrong.append(document.document.violation(place, f"{document.type} is not implemented yet"))
                continue
            task = type_.parse(document)
            wrong += task.check(scope)
            tasks.append(task)
        planned.append(
            PlannedWorkflow(
                name=workflow.name, description=workflow.description, file=workflow.file, tasks=tuple(tasks)
            )
        )
    if wrong:
        raise InvalidDocument(wrong)
    return Plan(workflows=tuple(planned), scope=scope)
