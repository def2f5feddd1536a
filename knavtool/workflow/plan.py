"""The plan of a command: all tasks of all its files, references resolved, every error found at once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import TYPE_CHECKING, TypeAlias

from knavtool.documents.workflow import ForEachDocument
from knavtool.errors import InvalidDocument, UsageError
from knavtool.render.formats import Formats
from knavtool.workflow.references.observed import Observed
from knavtool.workflow.references.scope import PlannedSubmission, Registration, Scope, SharedScope
from knavtool.workflow.registry import built_in
from knavtool.workflow.tasks.check_measure import threshold_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from knavtool.documents.workflow import Entry, TaskDocument, ThresholdDocument, WorkflowDocument
    from knavtool.errors import Violation
    from knavtool.events import Steps
    from knavtool.measure.threshold import Threshold
    from knavtool.workflow.registry import Registry
    from knavtool.workflow.task import Task


_MOST_TASKS = 100_000
"""More than a run can hold; blocks in blocks and loops in loops get there with a few lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTask:
    """A task, and what it can refer to."""

    task: Task
    scope: Scope

    @property
    def document(self) -> TaskDocument:
        """The task as written."""
        return self.task.document

    @property
    def description(self) -> str:
        """The task's description."""
        return self.document.description


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """Steps in their order; the title says which round of a loop they are, empty if nothing needs to be said."""

    title: str
    steps: tuple[Planned, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBlock:
    """Steps that belong together: rounds of a loop one after the other, or branches at the same time."""

    document: Entry
    branches: tuple[Branch, ...]
    parallel: bool = False

    @property
    def kind(self) -> str:
        """What holds the steps together."""
        return "foreach" if isinstance(self.document, ForEachDocument) else self.document.type

    @property
    def description(self) -> str:
        """The block's description; that of a loop is its tasks'."""
        return "" if isinstance(self.document, ForEachDocument) else self.document.description

    @property
    def timeout(self) -> float | None:
        """Seconds that the whole block may take; a loop's timeout is that of each round's task."""
        return None if isinstance(self.document, ForEachDocument) else self.document.timeout

    @property
    def continue_on_error(self) -> bool:
        """Whether what comes after it runs although it failed."""
        return not isinstance(self.document, ForEachDocument) and self.document.continue_on_error


Planned: TypeAlias = PlannedTask | PlannedBlock


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWorkflow:
    """One file's tasks in their order."""

    name: str
    description: str
    file: Path
    steps: tuple[Planned, ...]
    thresholds: tuple[Threshold, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a command will do; nothing in it is unresolved."""

    workflows: tuple[PlannedWorkflow, ...]
    scope: Scope
    observed: Observed = field(default_factory=Observed)
    warnings: tuple[Violation, ...] = ()

    def tasks(self) -> Iterator[PlannedTask]:
        """All tasks in the order in which they run, those of parallel branches one branch after the other."""
        for workflow in self.workflows:
            yield from tasks_of(workflow.steps)

    @property
    def measures(self) -> bool:
        """Whether it asks what was measured, so that the run has to be recorded."""
        return any(one.thresholds for one in self.workflows) or any(one.task.measures for one in self.tasks())

    def expecting(self, thresholds: Iterable[Threshold], *, allow_saturated: bool = False) -> Plan:
        """The plan with more thresholds for its last workflow; all of the plan may be met in a saturated run."""
        *first, last = self.workflows
        workflows = (*first, replace(last, thresholds=(*last.thresholds, *thresholds)))
        if allow_saturated:
            workflows = tuple(
                replace(one, thresholds=tuple(replace(each, allow_saturated=True) for each in one.thresholds))
                for one in workflows
            )
        return replace(self, workflows=workflows)

    def warn(self, steps: Steps) -> None:
        """Tell the warnings."""
        for warning in self.warnings:
            steps.note(str(warning), warning=True)


def tasks_of(steps: Iterable[Planned]) -> Iterator[PlannedTask]:
    """The tasks of steps and of the blocks among them."""
    for step in steps:
        if isinstance(step, PlannedTask):
            yield step
        else:
            for branch in step.branches:
                yield from tasks_of(branch.steps)


def build(
    workflows: Sequence[WorkflowDocument],
    *,
    search: Sequence[Path],
    within: Sequence[Path] = (),
    lenient: bool = False,
    types: Registry | None = None,
) -> Plan:
    """Resolve everything; raises InvalidDocument with all that is wrong in any of the files.

    The files share one scope, so that one file may register what another submits. `search` holds the directories in
    which templates are looked for before the workflow's own. With `within`, no template is read that lies outside of
    these directories, and the files of the workflows are named relative to the first of them. `types` are those that
    the workflows were read with, without them those of knavtool itself.
    """
    types = types or built_in()
    documents = [document for workflow in reversed(workflows) for document in reversed(list(_flat(workflow.tasks)))]
    shared = SharedScope(
        search=[directory.resolve() for directory in search],
        within=[directory.resolve() for directory in within],
        later={(document.type, document.id): document.where_id() for document in documents},
        lenient=lenient,
        warnings=[warning for workflow in workflows for warning in workflow.warnings],
        # Few tasks ask for them, and they cost as much as a fifth of the plan.
        node_labels=cache(partial(_node_labels, documents, types)),
    )
    builder = _Builder(types)
    scope = Scope(shared=shared)
    if too_many := list(_too_many(workflows, types)):
        raise InvalidDocument([*(fault for workflow in workflows for fault in workflow.faults), *too_many])
    planned = tuple(
        PlannedWorkflow(
            name=workflow.name,
            description=workflow.description,
            file=workflow.file,
            steps=builder.steps(workflow.tasks, scope),
            thresholds=tuple(builder.thresholds(workflow.thresholds)),
        )
        for workflow in workflows
    )
    wrong = [*(fault for workflow in workflows for fault in workflow.faults), *builder.wrong]
    if wrong:
        raise InvalidDocument(wrong)
    observed = Observed.by((one.scope, one.task.observes()) for workflow in planned for one in tasks_of(workflow.steps))
    return Plan(workflows=planned, scope=scope, observed=observed, warnings=tuple(sorted(set(shared.warnings))))


@dataclass(slots=True)
class _Builder:
    """Builds steps, and collects what is wrong with them."""

    types: Registry
    wrong: list[Violation] = field(default_factory=list)

    def steps(self, documents: Iterable[Entry], scope: Scope) -> tuple[Planned, ...]:
        """The steps of a list of tasks; those that were refused before are left out."""
        return tuple(step for document in documents if (step := self._step(document, scope)) is not None)

    def thresholds(self, documents: Iterable[ThresholdDocument]) -> Iterator[Threshold]:
        """What is expected of measures."""
        for document in documents:
            try:
                yield threshold_of(document.params)
            except UsageError as error:
                self.wrong.append(document.violation(error.message, "value"))

    def _step(self, document: Entry, scope: Scope) -> Planned | None:
        if isinstance(document, ForEachDocument):
            rounds = [(title, (task,)) for title, task in document.rounds]
            return self._block(document, rounds, scope, parallel=False)
        if (block := self.types.blocks.get(document.type)) is not None:
            # The tasks of a block that is not valid are looked at all the same.
            parsed = block.parse(document)
            return self._block(document, parsed.branches(), scope, parallel=parsed.parallel)
        if not document.valid:
            _declare(document, scope)
            return None
        task = self.types.tasks[document.type].parse(document)
        self.wrong += task.check(scope)
        return PlannedTask(task=task, scope=scope)

    def _block(
        self, document: Entry, branches: Iterable[tuple[str, Sequence[Entry]]], outer: Scope, *, parallel: bool
    ) -> PlannedBlock:
        scopes: list[Scope] = []
        built: list[Branch] = []
        for title, documents in branches:
            scopes.append(outer.child())
            built.append(Branch(title=title, steps=self.steps(documents, scopes[-1])))
        self.wrong += outer.merge_children(scopes)
        return PlannedBlock(document=document, branches=tuple(built), parallel=parallel)


def _too_many(workflows: Iterable[WorkflowDocument], types: Registry) -> Iterator[Violation]:
    """The task with which the plan becomes too large to be made."""
    total = 0
    for workflow in workflows:
        for entry in workflow.tasks:
            before, total = total, total + _size(entry, types)
            if before <= _MOST_TASKS < total:
                message = f"with this the plan has {total} tasks; expected at most {_MOST_TASKS}"
                yield entry.document.violation(entry.place, message)


def _size(entry: Entry, types: Registry) -> int:
    """How many tasks it stands for, counted without making them."""
    if isinstance(entry, ForEachDocument):
        return sum(_size(task, types) for _, task in entry.rounds)
    if (block := types.blocks.get(entry.type)) is not None:
        return block.parse(entry).times * max(sum(_size(task, types) for task in entry.tasks), 1)
    return 1


def _declare(document: TaskDocument, scope: Scope) -> None:
    """Let later tasks refer to a task that was refused, so that its own fault is the only one told."""
    if not document.id:
        return
    scope.registrations.setdefault(document.id, Registration(document=document, template=None, formats=Formats()))
    nothing = PlannedSubmission(document=document, registration=None, count=0, first_enum=0, keys=())
    scope.submissions.setdefault(document.id, nothing)


def _flat(documents: Iterable[Entry]) -> Iterator[TaskDocument]:
    for document in documents:
        if isinstance(document, ForEachDocument):
            yield from _flat(task for _, task in document.rounds)
        else:
            yield document
            yield from _flat(document.tasks)


def _node_labels(documents: Iterable[TaskDocument], types: Registry) -> set[str] | None:
    """The label keys of all nodes that the plan makes itself; None if it makes none."""
    valid = (document for document in documents if document.valid and document.type in types.tasks)
    tasks = [types.tasks[document.type].parse(document) for document in valid]
    if not any(task.makes_nodes for task in tasks):
        return None
    return {"kubernetes.io/hostname", "type"}.union(*(task.added_node_labels() for task in tasks))
