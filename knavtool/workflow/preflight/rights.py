"""What each task type asks of the API server: for the role in the chart, and for the questions before a run.

`python -m knavtool.workflow.preflight.rights` writes the table as the chart reads it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from knavtool.kube.resource import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    DEVICE_CLASSES,
    EVENTS,
    JOBS,
    LEASES,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    PRIORITY_CLASSES,
    RESOURCE_SLICES,
    SERVICES,
    STATEFUL_SETS,
    Resource,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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


_FOLLOW = ("list", "watch")

RIGHTS: Mapping[str, tuple[Rule, ...]] = {
    "Configure": (
        Rule(("create", *_FOLLOW), NAMESPACES, when="namespaces", op="create"),
        Rule(("get",), NAMESPACES, use=Use.SOMETIMES, when="namespaces", op="create"),
        Rule(("delete",), NAMESPACES, use=Use.CLEANUP, when="namespaces", op="create"),
        Rule(("delete", *_FOLLOW), NAMESPACES, when="namespaces", op="delete"),
        Rule(("create",), PRIORITY_CLASSES, when="priorityClasses", op="create"),
        # One with another value is deleted and made again, and cleanup brings the former one back.
        Rule(("get", "delete", *_FOLLOW), PRIORITY_CLASSES, use=Use.SOMETIMES, when="priorityClasses", op="create"),
        Rule(("delete", *_FOLLOW), PRIORITY_CLASSES, use=Use.CLEANUP, when="priorityClasses", op="create"),
        Rule(("get", "delete", *_FOLLOW), PRIORITY_CLASSES, when="priorityClasses", op="delete"),
        Rule(("create",), PRIORITY_CLASSES, use=Use.CLEANUP, when="priorityClasses", op="delete"),
        Rule(("create",), CONFIG_MAPS, when="configmaps", op="create"),
        Rule(("get", "patch"), CONFIG_MAPS, use=Use.SOMETIMES, when="configmaps", op="create"),
        Rule(("delete", *_FOLLOW), CONFIG_MAPS, use=Use.CLEANUP, when="configmaps", op="create"),
        Rule(("get", "delete"), CONFIG_MAPS, when="configmaps", op="delete"),
        Rule(("create",), CONFIG_MAPS, use=Use.CLEANUP, when="configmaps", op="delete"),
        Rule(("create", *_FOLLOW), NODES, when="nodes"),
        Rule(("get", "patch", "delete"), NODES, use=Use.SOMETIMES, when="nodes"),
        Rule(("patch",), NODES, "status", use=Use.SOMETIMES, when="nodes"),
        Rule(("delete",), NODES, use=Use.CLEANUP, when="nodes"),
        Rule(_FOLLOW, LEASES, use=Use.SOMETIMES, when="nodes", everywhere=True),
        # For nodes with devices; a cluster without dynamic resource allocation need not know them.
        Rule(("list", "create", "patch", "delete"), RESOURCE_SLICES, use=Use.SOMETIMES, when="nodes"),
        Rule(("list", "create", "patch", "delete"), DEVICE_CLASSES, use=Use.SOMETIMES, when="nodes"),
        Rule(("get", "patch", *_FOLLOW), DEPLOYMENTS, when="deploymentRestarts"),
    ),
    "RegisterObj": (),
    "SubmitObj": (
        Rule(("create",), SUBMITTED),
        Rule(("get", "list"), SUBMITTED, use=Use.SOMETIMES),
        Rule(_FOLLOW, CUSTOM_RESOURCE_DEFINITIONS, of=CUSTOM_RESOURCE_DEFINITIONS),
        Rule(("delete", *_FOLLOW), SUBMITTED, use=Use.CLEANUP),
        Rule(_FOLLOW, PODS, use=Use.CLEANUP, of=JOBS),
        # Claims outlive the StatefulSets that made them.
        Rule(("delete", *_FOLLOW), PERSISTENT_VOLUME_CLAIMS, use=Use.SOMETIMES, of=STATEFUL_SETS),
    ),
    "UpdateObj": (
        Rule(("patch",), SUBMITTED),
        Rule(("patch",), SUBMITTED, "status", when="state.status"),
        Rule(("list",), SUBMITTED, when="kind"),
        # Those between a submitted object and what it owns are read as well.
        Rule(("get",), SUBMITTED, use=Use.SOMETIMES),
    ),
    "CheckObj": (
        Rule(_FOLLOW, SUBMITTED),
        Rule(("get",), SUBMITTED, use=Use.SOMETIMES, when="ownedBy"),
        Rule(_FOLLOW, EVENTS, use=Use.SOMETIMES),
    ),
    "CheckPod": (
        Rule(_FOLLOW, PODS),
        Rule(("list",), NODES, when="nodeLabels"),
        # Owners that stand between an object and its pods; without them the pod's name decides.
        Rule(("get", "list"), SUBMITTED, use=Use.SOMETIMES),
        Rule(_FOLLOW, EVENTS, use=Use.SOMETIMES),
    ),
    "CheckConfigmap": (
        Rule(("get",), CONFIG_MAPS),
        Rule(_FOLLOW, CONFIG_MAPS, when="timeout"),
    ),
    "CheckMetric": (
        # Of the Prometheus of an operator; one whose address is given needs no rights.
        Rule(("list",), SERVICES, use=Use.SOMETIMES, everywhere=True, names=("prometheus-operated",)),
        Rule(("get",), SERVICES, "proxy", use=Use.SOMETIMES, everywhere=True, names=("prometheus-operated:9090",)),
    ),
    "CheckPlacement": (
        Rule(_FOLLOW, PODS),
        Rule(("list",), NODES, when="topologyKey"),
        Rule(("get", "list"), SUBMITTED, use=Use.SOMETIMES),
        Rule(_FOLLOW, EVENTS, use=Use.SOMETIMES),
    ),
    "DeleteObj": (
        Rule(("delete",), SUBMITTED),
        Rule(_FOLLOW, SUBMITTED, when="wait"),
        Rule(("list",), SUBMITTED, when="kind"),
        Rule(("get",), SUBMITTED, use=Use.SOMETIMES, when="kind"),
        # The cleanup brings back what was of others, and nodes as Configure makes them.
        Rule(("create",), SUBMITTED, use=Use.CLEANUP, when="allowOthers"),
        Rule(("create", "patch", *_FOLLOW), NODES, use=Use.SOMETIMES, of=NODES),
        Rule(("patch",), NODES, "status", use=Use.SOMETIMES, of=NODES),
        Rule(_FOLLOW, PODS, when="wait", of=JOBS),
    ),
    "UpdateNodes": (
        Rule(("list", "patch"), NODES),
        Rule(("patch",), NODES, "status", when="state.status"),
        Rule(("get",), NODES, use=Use.SOMETIMES),
    ),
    "Sleep": (),
    "Pause": (),
    "Parallel": (),
    "Repeat": (),
}
"""By task type; taken from what the code of each sends, its cleanup included."""


def applying(type_: str, params: Mapping[str, Any], kinds: set[Resource], *, cleanup: bool) -> Iterator[Rule]:
    """The rules without which a task with these parameters fails; `kinds` are those of the objects it works on."""
    for rule in RIGHTS.get(type_, ()):
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


def chart_data() -> str:
    """The table as `charts/knavtool/files/rights.yaml`: per task type the verbs on each resource."""
    lines = ["# Written by `python -m knavtool.workflow.preflight.rights`; do not edit."]
    for type_, rules in RIGHTS.items():
        lines.append(f"{type_}:" + ("" if rules else " []"))
        lines += [f"- {json.dumps(entry)}" for entry in _merged(rules)]
    return "\n".join(lines) + "\n"


def _merged(rules: tuple[Rule, ...]) -> Iterator[dict[str, Any]]:
    verbs: dict[tuple[Resource, str, Resource | None, bool, tuple[str, ...]], set[str]] = {}
    for rule in rules:
        key = (rule.resource, rule.subresource, rule.of, rule.everywhere, rule.names)
        verbs.setdefault(key, set()).update(rule.verbs)
    for (resource, subresource, of, everywhere, names), given in verbs.items():
        suffix = f"/{subresource}" if subresource else ""
        entry: dict[str, Any]
        if resource == SUBMITTED:
            entry = {"submitted": True, "suffix": suffix}
        else:
            entry = {"apiGroup": resource.group, "resource": f"{resource.plural}{suffix}"}
            entry["clusterWide"] = everywhere or not resource.namespaced
        if of is not None:
            entry["of"] = {"apiGroup": of.group, "resource": of.plural}
        if names:
            entry["names"] = names
        yield entry | {"verbs": sorted(given)}


if __name__ == "__main__":
    sys.stdout.write(chart_data())
