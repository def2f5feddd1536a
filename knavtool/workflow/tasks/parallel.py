"""Parallel: tasks that start at the same time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from knavtool.workflow.task import Block

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from knavtool.documents.workflow import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel(Block):
    """Each task is a branch of its own; a branch that fails lets the others end."""

    parallel: ClassVar[bool] = True

    def branches(self) -> Iterator[tuple[str, Sequence[Entry]]]:
        for task in self.document.tasks:
            yield "", (task,)
