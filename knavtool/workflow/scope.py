"""What the tasks of a command declare for each other while a plan is built; one scope for all files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.documents.schema import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.render.template import Formats, ObjectTemplate


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A template that a RegisterObj has named; `template` is None if it could not be read, which has been told."""

    document: TaskDocument
    template: ObjectTemplate | None
    formats: Formats


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSubmission:
    """A SubmitObj with its reference resolved; `registration` is None if there is none, which has been told."""

    document: TaskDocument
    registration: Registration | None
    count: int
    first_enum: int


@dataclass(slots=True, kw_only=True)
class Scope:
    """Filled by `Task.check` in the order of the tasks; afterwards only read.

    Templates are looked for in `search`, and only `within` these directories if any are given.
    `later` has where each (type, id) stands, so that a reference to a task that comes too late can be told apart.
    """

    search: Sequence[Path]
    within: Sequence[Path] = ()
    later: Mapping[tuple[str, str], str] = field(default_factory=dict)
    registrations: dict[str, Registration] = field(default_factory=dict)
    submissions: dict[str, PlannedSubmission] = field(default_factory=dict)
    next_enum: int = 1

    def numbers(self, count: int) -> int:
        """Reserve numbers for `_ENUM_`; returns the first."""
        first = self.next_enum
        self.next_enum += count
        return first

    def taken(self, document: TaskDocument, earlier: TaskDocument) -> Violation:
        """Two tasks of one type have the same id."""
        place = earlier.document.where(("tasks", earlier.index, "id"))
        message = f"the id {document.id!r} is taken by the {earlier.type} task at {place}"
        return document.document.violation(("tasks", document.index, "id"), message)

    def unknown(self, document: TaskDocument, reference: str, wanted: str) -> Violation:
        """A reference that leads nowhere."""
        known = self.registrations if wanted == "RegisterObj" else self.submissions
        if place := self.later.get((wanted, reference)):
            message = f"the {wanted} task {reference!r} comes later, at {place}; move it before this task"
        else:
            message = f"no earlier {wanted} task has the id {reference!r}"
            message += nearest(reference, known) or (f"; there are: {', '.join(known)}" if known else "")
        return document.violation(message, "refTaskId")
