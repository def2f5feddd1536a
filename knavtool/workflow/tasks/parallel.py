"""Parallel: tasks that start at the same time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from knavtool.documents.workflow import Entry, TaskDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """Each task is a branch of its own; a branch that fails lets the others end."""

    document: TaskDocument
    parallel: ClassVar[bool] = True
    times: ClassVar[int] = 1

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        return cls(document=document)

    def branches(self) -> Iterator[tuple[str, Sequence[Entry]]]:
        for task in self.document.tasks:
            yield "", (task,)
