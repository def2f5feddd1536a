"""The one count of a run: its cases and how they ended, which terminal, JSON, JUnit and Markdown all show.

A case is a task, the cleanup, or a workflow, block or run that failed while nothing in it did.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.events import Result
from knavtool.report import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from knavtool.report.recorder import Record

BAD = (Result.FAILED, Result.CANCELLED, None)
HOLDERS = ("block", "round")
"""Kinds of steps between a workflow and its tasks."""

Counts = dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing that is counted; `within` names the blocks and rounds around it, outermost first."""

    record: Record
    within: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`sizes / size=2 / job`."""
        return " / ".join((*self.within, self.record.name))

    @property
    def title(self) -> str:
        """The name with its type: `sizes / size=2 / job (SubmitObj)`."""
        return f"{self.name} ({self.record.detail})" if self.type else self.name

    @property
    def type(self) -> str:
        """The type of a task; empty for anything else."""
        return self.record.detail if self.record.kind in ("task", "block") else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A workflow, the cleanup, or the run itself, with its cases."""

    record: Record
    cases: tuple[Case, ...]

    @property
    def file(self) -> str:
        """The workflow file; empty for anything else."""
        return self.record.detail if self.record.kind == "workflow" else ""

    @property
    def counts(self) -> Counts:
        """How many cases ended in which way."""
        return counts(case.record for case in self.cases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a run amounts to."""

    run: Record
    suites: tuple[Suite, ...]

    @property
    def workflows(self) -> list[Suite]:
        """The suites that are workflows."""
        return [suite for suite in self.suites if suite.record.kind == "workflow"]

    @property
    def cases(self) -> list[Case]:
        """All cases."""
        return [case for suite in self.suites for case in suite.cases]

    @property
    def tasks(self) -> Counts:
        """How many tasks ended in which way."""
        return counts(case.record for case in self.cases if case.record.kind == "task")

    @property
    def counts(self) -> Counts:
        """How many cases ended in which way."""
        return counts(case.record for case in self.cases)

    @property
    def seconds(self) -> float:
        """How long the run took."""
        return self.run.seconds or 0.0

    def totals(self) -> str:
        """The counts and the time in one line."""
        number = sum(self.tasks.values())
        parts = ", ".join(f"{count} {word}" for word, count in self.tasks.items() if count)
        line = (
            f"{number} {'task' if number == 1 else 'tasks'}: {parts or 'nothing ran'} in {text.duration(self.seconds)}"
        )
        others = [case.record for case in self.cases if case.record.kind != "task"]
        return ", ".join([line, *(f"{_called(other)} {text.word(other)}" for other in others)])


def summarize(record: Record) -> Summary:
    """Count a run; `record` may hold more than it, as the programs that were fetched before."""
    suites = [Suite(record=workflow, cases=tuple(_cases(workflow, ()))) for workflow in record.find("workflow")]
    suites += [Suite(record=cleanup, cases=(Case(record=cleanup),)) for cleanup in record.find("cleanup")]
    if failed_itself(record) or (record.result in BAD and not suites):
        suites.append(Suite(record=record, cases=(Case(record=record),)))
    return Summary(run=record, suites=tuple(suites))


def counts(records: Iterable[Record]) -> Counts:
    """How many records ended in which way; a record that never ended counts as cancelled."""
    found = Counter(record.result or Result.CANCELLED for record in records)
    return {result.value: found[result] for result in Result}


def failed_itself(record: Record) -> bool:
    """Whether a record did not end well while everything directly in it did."""
    return record.result in BAD and not any(child.result in BAD for child in record.children)


def requests(record: Record) -> dict[str, float]:
    """The requests of a run: how many, retries among them, how many per second were allowed (0: any) and were sent."""
    run: Record = next(record.find("run"), record)
    found = {key: number for key in ("requests", "retries", "qps") if (number := _number(run.data, key)) is not None}
    if "requests" in found and run.seconds:
        found["rate"] = round(found["requests"] / run.seconds, 1)
    return found


def _cases(record: Record, within: tuple[str, ...]) -> Iterator[Case]:
    for child in record.children:
        if child.kind == "task":
            yield Case(record=child, within=within)
        elif child.kind in HOLDERS:
            yield from _cases(child, (*within, child.name))
    # What ends for a reason of its own, as a block whose time was up, must not look well because its tasks do.
    if failed_itself(record):
        yield Case(record=record, within=within[:-1])


def _called(record: Record) -> str:
    return record.kind if record.kind == record.name else f"{record.kind} {record.name}"


def _number(data: Mapping[str, object], key: str) -> float | None:
    found = data.get(key)
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None
