"""Workflow files as frozen models: the envelope and, per task, parameters whose shape has been checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from knavtool.documents.duration import is_duration, parse_duration
from knavtool.documents.schema import normalized, violations
from knavtool.documents.values import parse_entries
from knavtool.documents.yaml import load
from knavtool.errors import InvalidDocument, UsageError, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from knavtool.documents.yaml import Document

TASK_TYPES = (
    "Configure",
    "RegisterObj",
    "SubmitObj",
    "UpdateObj",
    "CheckObj",
    "CheckPod",
    "CheckConfigmap",
    "DeleteObj",
    "UpdateNodes",
    "Sleep",
    "Pause",
)
"""The task types a workflow may name."""

_TIMED = frozenset({"Configure", "Sleep"})
"""Task types whose timeout must be longer than zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDocument:
    """One task as written; `params` hold only what was given, scalars where text is wanted already as text."""

    id: str
    type: str
    description: str
    params: Mapping[str, Any]
    index: int
    document: Document = field(repr=False)

    @property
    def file(self) -> str:
        """The workflow file."""
        return self.document.file

    def where(self, *path: str | int) -> str:
        """`file:line:column` of a place below the parameters."""
        return self.document.where(("tasks", self.index, "params", *path))

    def violation(self, message: str, *path: str | int) -> Violation:
        """Something wrong below the parameters."""
        return self.document.violation(("tasks", self.index, "params", *path), message)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowDocument:
    """One workflow file that has the right shape."""

    name: str
    description: str
    tasks: tuple[TaskDocument, ...]
    file: Path


def load_workflows(paths: Sequence[Path]) -> list[WorkflowDocument]:
    """Read and check several files; raises InvalidDocument with everything that is wrong in all of them."""
    workflows: list[WorkflowDocument] = []
    wrong: list[Violation] = []
    for path in paths:
        try:
            workflows.append(load_workflow(path))
        except InvalidDocument as error:
            wrong += error.violations
    if wrong:
        raise InvalidDocument(wrong)
    return workflows


def load_workflow(path: Path) -> WorkflowDocument:
    """Read and check one file; raises InvalidDocument with everything that is wrong."""
    return parse_workflow(load(path), path)


def parse_workflow(document: Document, path: Path) -> WorkflowDocument:
    """Check a document; templates that it names are looked for beside `path`."""
    document = normalized(document, "workflow")
    wrong = violations(document, "workflow")
    if isinstance(document.data, dict) and isinstance(document.data.get("tasks"), list):
        for index, task in enumerate(document.data["tasks"]):
            if isinstance(task, dict) and isinstance(task.get("params"), dict):
                wrong += _task_faults(document, index, task, wrong)
    if wrong:
        raise InvalidDocument(wrong)
    tasks = tuple(
        TaskDocument(
            id=task["id"],
            type=task["type"],
            description=task.get("description", ""),
            params=task.get("params", {}),
            index=index,
            document=document,
        )
        for index, task in enumerate(document.data["tasks"])
    )
    return WorkflowDocument(
        name=document.data.get("name", path.stem),
        description=document.data.get("description", ""),
        tasks=tasks,
        file=path,
    )


def _task_faults(
    document: Document, index: int, task: Mapping[str, Any], rejected: Sequence[Violation]
) -> Iterator[Violation]:
    """What the schema cannot see: times, and the rules for nodes."""
    params = ("tasks", index, "params")
    timeout = task["params"].get("timeout")
    if isinstance(timeout, str) and is_duration(timeout):
        try:
            seconds = parse_duration(timeout)
        except UsageError as error:
            yield document.violation((*params, "timeout"), error.message)
        else:
            if seconds < 0:
                yield document.violation((*params, "timeout"), "must not be negative")
            elif seconds == 0 and task.get("type") in _TIMED:
                yield document.violation((*params, "timeout"), "must be longer than zero")
    if task.get("type") == "Configure" and isinstance(task["params"].get("nodes"), list):
        yield from parse_entries(document, (*params, "nodes"), rejected=rejected)[1]
