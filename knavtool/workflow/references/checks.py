"""What a task says about the objects of a SubmitObj, checked against the template before anything is rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from knavtool.documents.yaml import load_rendered, path_text
from knavtool.render.objects import flattened
from knavtool.render.template import ENUM, NAME
from knavtool.workflow.references import formats

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.workflow.references.amounts import AmountDocument
    from knavtool.workflow.references.scope import PlannedSubmission, Scope

_IDENTITY = (("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace"))


def index_violations(document: TaskDocument, planned: PlannedSubmission, index: int) -> Iterator[Violation]:
    """An `index` that the template has no document for."""
    template = planned.registration.template if planned.registration is not None else None
    if template is not None and index >= len(template.blocks):
        has = f"{len(template.blocks)} document{'s' if len(template.blocks) > 1 else ''}"
        yield document.violation(f"{index} is out of range: {template.file} has {has}, counted from 0", "index")


def pods_violations(
    document: TaskDocument, scope: Scope, reference: str, *, count: AmountDocument | None = None
) -> Iterator[Violation]:
    """A SubmitObj whose pods cannot be told from others, and a `count` of pods that its parameters make impossible."""
    planned = scope.submissions.get(reference)
    if planned is None:
        yield scope.unsubmitted(document, reference)
        return
    if count is not None:
        yield from count.violations(*planned.params())
    if planned.registration is not None and planned.registration.formats.pod_name is None:
        registration = planned.registration.document
        message = (
            f"the RegisterObj task {registration.id!r} ({registration.where()}) has no podNameFormat and podCount, "
            f"so the pods of its objects are unknown"
        )
        yield document.violation(message, "refTaskId")


def identity_violations(
    document: TaskDocument, planned: PlannedSubmission, index: int, state: Mapping[str, Any]
) -> Iterator[Violation]:
    """A `state` of another object than those that the template gives, as far as that can be known without rendering."""
    last = planned.first_enum + planned.count - 1
    for number in dict.fromkeys((planned.first_enum, last)):
        found = list(contradictions(document, state, _example(planned, index, number)))
        yield from found
        if found:
            return


def contradictions(
    document: TaskDocument, state: Mapping[str, Any], facts: Mapping[tuple[str, ...], str]
) -> Iterator[Violation]:
    """A `state` that says something else of what is certain of an object, by its path."""
    for path, actual in facts.items():
        *parents, key = path
        part: Any = state
        for parent in parents:
            part = part.get(parent) if isinstance(part, dict) else None
        if isinstance(part, dict) and key in part and part[key] != actual:
            message = f"the object's {path_text(path)} is {actual!r}, and it cannot be changed"
            yield document.violation(message, "state", *path)


def _example(planned: PlannedSubmission, index: int, number: int) -> dict[tuple[str, ...], str]:
    """The identity of the object with this number; only what is certain."""
    registration = planned.registration
    if len(planned.keys) > 1:
        return {}  # rounds of a loop, whose parameters differ
    template = registration.template if registration is not None else None
    if registration is None or template is None or template.raw or index >= len(template.blocks):
        return {}
    params = {**(planned.document.params.get("params") or {}), ENUM: number}
    if registration.formats.name is not None:
        params[NAME] = formats.simply_rendered(registration.formats.name, params)
    text = formats.simply_rendered(template.blocks[index], params)
    if text is None:
        return {}
    try:
        (manifest,) = flattened(load_rendered(text))
    except (yaml.YAMLError, ValueError):
        return {}
    facts: dict[tuple[str, ...], str] = {}
    for path in _IDENTITY:
        part: Any = manifest
        for key in path:
            part = part.get(key) if isinstance(part, dict) else None
        if isinstance(part, str):
            facts[path] = part
    return facts
