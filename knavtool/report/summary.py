"""The closing lines of a command: what failed, in full, and for a run one line per task and the totals."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from knavtool.events import Result
from knavtool.report import text
from knavtool.report.recorder import failures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from knavtool.report.recorder import Record


def closing(roots: Sequence[Record], *, told: str = "", table: bool = True) -> Iterator[str]:
    """The lines to print; `told` is the message of the error that will be printed anyway."""
    for root in roots:
        for failure in failures(root):
            if failure.message and failure.message != told and "\n" in failure.message.strip():
                yield ""
                yield f"{failure.name} failed:"
                yield from (f"  {line}" for line in failure.message.strip().splitlines())
    for root in roots:
        if root.kind == "run":
            yield ""
            if table:
                yield from task_table(root)
            yield totals(root)


def task_table(run: Record) -> Iterator[str]:
    """One line per task: workflow, task, type, result, duration."""
    lines = [("WORKFLOW", "TASK", "TYPE", "RESULT", "DURATION")]
    for workflow in run.find("workflow"):
        for task in workflow.find("task"):
            seconds = "-" if task.seconds is None or task.result is Result.SKIPPED else text.duration(task.seconds)
            lines.append((workflow.name, task.name, task.detail, text.WORDS[task.result], seconds))
    lines += [
        ("-", cleanup.name, "", text.WORDS[cleanup.result], text.duration(cleanup.seconds or 0.0))
        for cleanup in run.find("cleanup")
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line[:4], widths[:4], strict=True)]
        yield "  ".join([*cells, line[4].rjust(widths[4])])


def totals(run: Record) -> str:
    """The counts and the time of a run in one line."""
    tasks = [task for workflow in run.find("workflow") for task in workflow.find("task")]
    counted = counts(tasks)
    parts = ", ".join(f"{number} {word}" for word, number in counted.items() if number)
    noun = "task" if len(tasks) == 1 else "tasks"
    return f"{len(tasks)} {noun}: {parts or 'nothing ran'} in {text.duration(run.seconds or 0.0)}"


def counts(records: Iterable[Record]) -> dict[str, int]:
    """How many records ended in which way; a record that never ended counts as cancelled."""
    found = Counter(record.result or Result.CANCELLED for record in records)
    return {result.value: found[result] for result in Result}
