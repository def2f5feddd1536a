"""What has to be sent so that a server can execute a plan: its workflow files, and the files that they name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knavtool.errors import UsageError

if TYPE_CHECKING:
    from knavtool.workflow.plan import Plan


def collect(plan: Plan, *, directory: Path) -> dict[str, Any]:
    """`files`, `workflows` and `workingDirectory` of a submission; `directory` is the one the plan was made in.

    Names are relative to the directory, or to the nearest one above it that holds all files. Raises UsageError.
    """
    directory = directory.resolve()
    workflows = [workflow.file.resolve() for workflow in plan.workflows]
    others = [
        Path(os.path.normpath(directory / file))
        for planned in plan.tasks()
        for file in planned.task.files(planned.scope)
    ]
    top = Path(os.path.commonpath([directory, *(file.parent for file in (*workflows, *others))]))
    wanted = {"workingDirectory": directory.relative_to(top).as_posix()} if directory != top else {}
    return wanted | {
        "files": {file.relative_to(top).as_posix(): _text(file) for file in (*workflows, *others)},
        "workflows": [file.relative_to(top).as_posix() for file in workflows],
    }


def _text(file: Path) -> str:
    if not file.is_file():
        raise UsageError(f"{file} is no regular file and cannot be sent to a server", hint="write it to a file first")
    return file.read_text(encoding="utf-8-sig")
