"""Repeat: tasks one after the other, several times; once makes a sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from knavtool.documents.workflow import Entry, TaskDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """Every round begins when the one before has ended well."""

    document: TaskDocument
    times: int
    parallel: ClassVar[bool] = False

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        return cls(document=document, times=document.params.get("count") or 1)

    def branches(self) -> Iterator[tuple[str, Sequence[Entry]]]:
        for number in range(1, self.times + 1):
            yield (f"round {number}" if self.times > 1 else ""), self.document.tasks
