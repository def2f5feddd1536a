"""Workflow files as frozen models: the envelope, and tasks whose parameters have values and the right shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from knavtool.documents.places import Location
    from knavtool.documents.yaml import Document
    from knavtool.errors import Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDocument:
    """One task as written; `params` hold only what was given, scalars where text is wanted already as text.

    `timeout` is in seconds. `tasks` are those of a block. A task that is not `valid` has violations, which are told
    elsewhere; only its id and type can be used.
    """

    id: str
    type: str
    document: Document = field(repr=False)
    place: Location
    description: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = None
    continue_on_error: bool = False
    tasks: tuple[Entry, ...] = ()
    valid: bool = True

    @property
    def file(self) -> str:
        """The workflow file."""
        return self.document.file

    @property
    def line(self) -> int:
        """The line in the file."""
        return self.document.position(self.place)[0]

    def where(self, *path: str | int) -> str:
        """`file:line:column` of a place below the parameters."""
        return self.document.where((*self.place, "params", *path))

    def where_id(self) -> str:
        """`file:line:column` of the id."""
        return self.document.where((*self.place, "id"))

    def violation(self, message: str, *path: str | int) -> Violation:
        """Something wrong below the parameters."""
        return self.document.violation((*self.place, "params", *path), message)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForEachDocument:
    """A task that is written once and stands for one per item; each round has a title such as `size=2`."""

    id: str
    type: str
    document: Document = field(repr=False)
    place: Location
    rounds: tuple[tuple[str, TaskDocument], ...]

    @property
    def line(self) -> int:
        """The line in the file."""
        return self.document.position(self.place)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdDocument:
    """What is expected of a measure, as written."""

    document: Document = field(repr=False)
    place: Location
    params: Mapping[str, Any]

    def violation(self, message: str, *path: str | int) -> Violation:
        """Something wrong in it."""
        return self.document.violation((*self.place, *path), message)


Entry: TypeAlias = TaskDocument | ForEachDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowDocument:
    """One workflow file; `faults` are its violations, `warnings` what was only told because it is read leniently."""

    name: str
    description: str
    tasks: tuple[Entry, ...]
    file: Path
    variables: Mapping[str, Any] = field(default_factory=dict)
    thresholds: tuple[ThresholdDocument, ...] = ()
    faults: tuple[Violation, ...] = ()
    warnings: tuple[Violation, ...] = ()
