"""From the files of a request to a plan: they are laid out in a directory that is gone when the plan is made."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.documents.workflow_reader import read_workflows
from knavtool.documents.yaml import load_text
from knavtool.workflow import plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from knavtool.documents.yaml import Document
    from knavtool.server.models import Submission
    from knavtool.workflow.plan import Plan
    from knavtool.workflow.registry import Registry

WORKFLOW = "workflow.yaml"
"""How messages call a workflow that came without a name."""


def planned(submission: Submission, types: Registry) -> Plan:
    """The plan of what a client sent; its templates are among its files. Raises InvalidDocument, UsageError."""
    sources = [_source(name, submission.files[name]) for name in submission.workflows]
    workflows = read_workflows(sources, types.documents, settings=submission.variables, lenient=submission.compat)
    with tempfile.TemporaryDirectory(prefix="knavtool-run-") as directory:
        top = Path(directory).resolve()
        _lay_out(top, submission.files)
        search = [top / (submission.working_directory or "")]
        return plan.build(workflows, search=search, within=[top], lenient=submission.compat, types=types)


def planned_alone(text: str, types: Registry, *, templates: Path | None = None, lenient: bool = False) -> Plan:
    """The plan of one workflow; templates are read below a directory of the server or not at all."""
    workflows = read_workflows([_source(WORKFLOW, text)], types.documents, lenient=lenient)
    with tempfile.TemporaryDirectory(prefix="knavtool-run-") as directory:
        places = [Path(directory), *([templates] if templates is not None else [])]
        return plan.build(workflows, search=places, within=places, lenient=lenient, types=types)


def _source(name: str, text: str) -> tuple[Path, Callable[[], Document]]:
    return Path(name), partial(load_text, text, name)


def _lay_out(top: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
