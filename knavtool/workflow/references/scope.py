"""What the tasks of a command declare for each other while a plan is built; one scope for all files.

Every round of a loop and every branch of a parallel block has a scope inside: it sees what was declared before the
block and what it declares itself. After the block, what was declared inside is known by the same ids, of all rounds
together.
"""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from knavtool.documents.schema import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.render.formats import Formats
    from knavtool.render.source import ObjectTemplate


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A template that a RegisterObj has named; `template` is None if it could not be read, which has been told."""

    document: TaskDocument
    template: ObjectTemplate | None
    formats: Formats


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSubmission:
    """A SubmitObj with its reference resolved; `registration` is None if there is none, which has been told.

    `keys` are the numbers under which a run keeps what was submitted: one, or one per round of a loop, whose tasks are
    the `rounds`.
    """

    document: TaskDocument
    registration: Registration | None
    count: int
    first_enum: int
    keys: tuple[int, ...]
    rounds: tuple[TaskDocument, ...] = ()

    def params(self) -> list[Mapping[str, Any]]:
        """What the template prints, in each round."""
        return [document.params.get("params") or {} for document in self.rounds]


@dataclass(slots=True, kw_only=True)
class SharedScope:
    """What all scopes of a plan share.

    Templates are looked for in `search`, and only `within` these directories if any are given.
    `later` has where each (type, id) stands, so that a reference to a task that comes too late can be told apart.
    `node_labels` gives the labels of all nodes that the plan itself makes, None if it makes none. `lenient` reads as
    Knavigator does: what is missing in a template is a warning.
    """

    search: Sequence[Path]
    within: Sequence[Path] = ()
    later: Mapping[tuple[str, str], str] = field(default_factory=dict)
    lenient: bool = False
    warnings: list[Violation] = field(default_factory=list)
    next_enum: int = 1
    next_key: int = 0
    node_labels: Callable[[], set[str] | None] = lambda: None

    def warn_if_compat(self, violation: Violation) -> Iterator[Violation]:
        """The violation; with `--compat` a warning instead, because Knavigator accepts it silently."""
        if self.lenient:
            self.warnings.append(violation)
        else:
            yield violation


@dataclass(slots=True, kw_only=True)
class Scope:
    """Filled by `Task.check` in the order of the tasks; afterwards only read."""

    shared: SharedScope
    registrations: ChainMap[str, Registration] = field(default_factory=ChainMap)
    submissions: ChainMap[str, PlannedSubmission] = field(default_factory=ChainMap)

    @property
    def search(self) -> Sequence[Path]:
        """The directories in which templates are looked for before the workflow's own."""
        return self.shared.search

    @property
    def within(self) -> Sequence[Path]:
        """The only directories whose templates are read; empty if any may be."""
        return self.shared.within

    def child(self) -> Scope:
        """A scope for one round or branch."""
        return Scope(
            shared=self.shared, registrations=self.registrations.new_child(), submissions=self.submissions.new_child()
        )

    def merge_children(self, rounds: Sequence[Scope]) -> Iterator[Violation]:
        """Declare here what rounds or branches declared; yields ids that different tasks use."""
        registered: dict[str, Registration] = {}
        submitted: dict[str, PlannedSubmission] = {}
        for scope in rounds:
            for id_, registration in scope.registrations.maps[0].items():
                earlier = registered.setdefault(id_, registration)
                if earlier.document.place != registration.document.place:
                    yield self.taken(registration.document, earlier.document)
            for id_, planned in scope.submissions.maps[0].items():
                known = submitted.get(id_)
                if known is None:
                    submitted[id_] = planned
                elif known.document.place != planned.document.place:
                    yield self.taken(planned.document, known.document)
                else:
                    keys, documents = known.keys + planned.keys, known.rounds + planned.rounds
                    submitted[id_] = replace(known, keys=keys, rounds=documents)
        self.registrations.update(registered)
        self.submissions.update(submitted)

    def numbers(self, count: int) -> int:
        """Reserve numbers for `_ENUM_`; returns the first."""
        first = self.shared.next_enum
        self.shared.next_enum += count
        return first

    def key(self) -> int:
        """A number for a submission."""
        self.shared.next_key += 1
        return self.shared.next_key

    def taken(self, document: TaskDocument, earlier: TaskDocument) -> Violation:
        """Two tasks of one type have the same id."""
        message = f"the id {document.id!r} is taken by the {earlier.type} task at {earlier.where_id()}"
        return document.document.violation((*document.place, "id"), message)

    def unregistered(self, document: TaskDocument, reference: str) -> Violation:
        """A reference to a template that leads nowhere."""
        return self._unknown(document, reference, "RegisterObj", self.registrations, "refTaskId")

    def unsubmitted(self, document: TaskDocument, reference: str, field: str = "refTaskId") -> Violation:
        """A reference, in that field, to a submission that leads nowhere."""
        return self._unknown(document, reference, "SubmitObj", self.submissions, field)

    def _unknown(
        self, document: TaskDocument, reference: str, wanted: str, known: Mapping[str, object], field: str
    ) -> Violation:
        if place := self.shared.later.get((wanted, reference)):
            message = f"the {wanted} task {reference!r} comes later, at {place}; move it before this task"
        else:
            message = f"no earlier {wanted} task has the id {reference!r}"
            message += nearest(reference, known) or (f"; there are: {', '.join(known)}" if known else "")
        return document.violation(message, field)
