"""Workflow files as frozen models: the envelope and, per task, parameters whose shape has been checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from knavtool.documents.schema import schema, violations
from knavtool.documents.values import text
from knavtool.documents.yaml import load
from knavtool.errors import DocumentError, InvalidDocument, Violation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from knavtool.documents.yaml import Document

_TEXT_FIELDS = ("template", "nameFormat", "podNameFormat", "podCount", "refTaskId", "name", "namespace")


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


def task_types() -> tuple[str, ...]:
    """The task types a workflow may name."""
    return tuple(schema("workflow")["$defs"]["task"]["properties"]["type"]["enum"])


def load_workflows(paths: Sequence[Path]) -> list[WorkflowDocument]:
    """Read and check several files; raises InvalidDocument with everything that is wrong in all of them."""
    workflows: list[WorkflowDocument] = []
    wrong: list[Violation] = []
    for path in paths:
        try:
            workflows.append(load_workflow(path))
        except InvalidDocument as error:
            wrong += error.violations
        except DocumentError as error:
            wrong.append(Violation(str(path), 0, 0, "", error.message.removeprefix(f"{path}: ")))
    if wrong:
        raise InvalidDocument(wrong)
    return workflows


def load_workflow(path: Path) -> WorkflowDocument:
    """Read and check one file."""
    document = load(path)
    wrong = violations(document, "workflow")
    if wrong:
        raise InvalidDocument(wrong)
    data = document.data
    tasks = tuple(
        TaskDocument(
            id=text(task["id"]),
            type=task["type"],
            description=text(task.get("description") or ""),
            params=_params(task.get("params")),
            index=index,
            document=document,
        )
        for index, task in enumerate(data["tasks"])
    )
    return WorkflowDocument(
        name=text(data.get("name") or path.stem),
        description=text(data.get("description") or ""),
        tasks=tasks,
        file=path,
    )


def _params(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Without what is null, which means unset, and with text where text is wanted."""
    params = {key: value for key, value in (given or {}).items() if value is not None}
    for key in _TEXT_FIELDS:
        if key in params:
            params[key] = text(params[key])
    if "nodeLabels" in params:
        params["nodeLabels"] = {key: text(value) for key, value in params["nodeLabels"].items()}
    return params
