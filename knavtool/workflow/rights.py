"""What a task type asks of the API server: for the role in the chart, and for the questions before a run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from knavtool.kube.resource import Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FOLLOW = ("list", "watch")
"""The verbs of whoever waits for objects."""
SUBMITTED = Resource("", "", "", "every kind that is submitted or chosen", namespaced=True)
"""Stands in the table for the kinds of the objects that a SubmitObj creates, or that a task chooses."""


class Use(StrEnum):
    """When a right is needed."""

    ALWAYS = "always"
    CLEANUP = "cleanup"
    """For `run --cleanup` only."""
    SOMETIMES = "sometimes"
    """For some states of the cluster, or for better messages: nobody is turned away for the lack of it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Verbs on one resource.

    With `when` only if that parameter is given, with `op` only if one of its entries has that `op`; with `of` only if
    objects of that kind are submitted. It is asked for in each namespace of the task's objects, with `everywhere` in
    all namespaces. `names` are the only objects it is for.
    """

    verbs: tuple[str, ...]
    resource: Resource
    subresource: str = ""
    use: Use = Use.ALWAYS
    when: str = ""
    op: str = ""
    of: Resource | None = None
    everywhere: bool = False
    names: tuple[str, ...] = ()


def applying(
    rules: Iterable[Rule], params: Mapping[str, Any], kinds: set[Resource], *, cleanup: bool
) -> Iterator[Rule]:
    """Those without which a task with these parameters fails; `kinds` are those of the objects it works on."""
    for rule in rules:
        wanted = rule.use is Use.ALWAYS or (cleanup and rule.use is Use.CLEANUP)
        if wanted and (rule.of is None or rule.of in kinds) and _given(rule, params):
            yield rule


def _given(rule: Rule, params: Mapping[str, Any]) -> bool:
    value: Any = params
    for key in filter(None, rule.when.split(".")):
        value = value.get(key) if isinstance(value, dict) else None
    if rule.op:
        return any(entry.get("op") == rule.op for entry in value or ())
    return not rule.when or bool(value)
