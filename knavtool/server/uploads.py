"""From the files of a request to a plan: they are laid out in a directory that is gone when the plan is made."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.documents.workflow import parse_workflow
from knavtool.documents.yaml import load_text
from knavtool.errors import InvalidDocument, Violation
from knavtool.workflow import plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knavtool.documents.workflow import WorkflowDocument
    from knavtool.server.models import Submission
    from knavtool.workflow.plan import Plan

WORKFLOW = "workflow.yaml"
"""How messages call a workflow that came without a name."""


def planned(submission: Submission) -> Plan:
    """The plan of what a client sent; its templates are among its files. Raises InvalidDocument."""
    workflows = {name: submission.files[name] for name in submission.workflows}
    with tempfile.TemporaryDirectory(prefix="knavtool-run-") as directory:
        top = Path(directory).resolve()
        _lay_out(top, submission.files)
        search = [top / (submission.working_directory or "")]
        return plan.build(_parsed(workflows, submission.variables), search=search, within=[top])


def planned_alone(text: str, *, templates: Path | None = None) -> Plan:
    """The plan of one workflow; templates are read below a directory of the server or not at all."""
    with tempfile.TemporaryDirectory(prefix="knavtool-run-") as directory:
        places = [Path(directory), *([templates] if templates is not None else [])]
        return plan.build(_parsed({WORKFLOW: text}, {}), search=places, within=places)


def _parsed(workflows: Mapping[str, str], variables: Mapping[str, object]) -> Sequence[WorkflowDocument]:
    """All of them; raises InvalidDocument with what is wrong in any."""
    if variables:
        raise InvalidDocument([Violation("body", 0, 0, "variables", "workflows have no variables yet")])
    parsed: list[WorkflowDocument] = []
    wrong: list[Violation] = []
    for name, text in workflows.items():
        try:
            parsed.append(parse_workflow(load_text(text, name), Path(name)))
        except InvalidDocument as error:
            wrong += error.violations
    if wrong:
        raise InvalidDocument(wrong)
    return parsed


def _lay_out(top: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
