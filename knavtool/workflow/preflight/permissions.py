"""Which rights the tasks of a run need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.kube.resource import PODS
from knavtool.kube.rights import Right
from knavtool.workflow.rights import SUBMITTED, applying
from knavtool.workflow.submission import pod_namespaces

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from knavtool.documents.workflow import TaskDocument
    from knavtool.workflow.rights import Rule
    from knavtool.workflow.submission import Place
    from knavtool.workflow.task import Task


def needed(task: Task, places: Collection[Place], *, cleanup: bool) -> Iterator[Right]:
    """The rights without which a task fails; `places` are the kinds and namespaces of the objects it works on."""
    kinds = {resource for resource, _ in places}
    for rule in applying(task.rights, task.document.params, kinds, cleanup=cleanup):
        for resource, namespace in _places(rule, task.document, places):
            for verb in rule.verbs:
                yield Right(verb, resource, rule.subresource, namespace)


def _places(rule: Rule, document: TaskDocument, places: Collection[Place]) -> Collection[Place]:
    params = document.params
    if rule.resource == SUBMITTED:
        found = places
    elif not rule.resource.namespaced or rule.everywhere:
        found = {(rule.resource, None)}
    elif rule.when and isinstance(params[rule.when], list):
        entries = [entry for entry in params[rule.when] if not rule.op or entry["op"] == rule.op]
        found = {(rule.resource, str(entry["namespace"])) for entry in entries}
    elif "namespace" in params:
        found = {(rule.resource, str(params["namespace"]))}
    else:
        owners = [(kind, namespace) for kind, namespace in places if rule.of in (None, kind)]
        namespaces = pod_namespaces(owners) if rule.resource == PODS else [namespace for _, namespace in owners]
        found = {(rule.resource, namespace) for namespace in namespaces}
    return found
