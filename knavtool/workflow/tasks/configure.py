"""Configure: prepare the cluster: namespaces, priority classes, config maps, virtual nodes, restarts of deployments."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from knavtool.documents.leniency import apply_compat_to_nodes
from knavtool.documents.values import parse_entries
from knavtool.errors import ClusterError, DeadlineExceeded, primary_error
from knavtool.kube.resource import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    DEVICE_CLASSES,
    LEASES,
    NAMESPACES,
    NODES,
    PRIORITY_CLASSES,
    RESOURCE_SLICES,
)
from knavtool.nodes.ownership import owned
from knavtool.render.nodes import render_nodes
from knavtool.workflow.configuring import settings as configuring
from knavtool.workflow.configuring.restarts import NothingToRestart, Restart, restart
from knavtool.workflow.rights import FOLLOW, Rule, Use
from knavtool.workflow.task import NOTHING, Outcome, Rendering, Task, timeout_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from knavtool.documents.complaints import Complaint
    from knavtool.documents.entries import NodeEntry
    from knavtool.documents.places import Location
    from knavtool.documents.workflow import TaskDocument
    from knavtool.errors import Violation
    from knavtool.helm import Helm
    from knavtool.workflow.references.scope import Scope
    from knavtool.workflow.task import Context, Name

_SETTINGS = {"namespaces": NAMESPACES, "priorityClasses": PRIORITY_CLASSES, "configmaps": CONFIG_MAPS}
_SLACK_SECONDS = 1.0
"""Waits inside the task end at its timeout with a message of their own; this catches what does not wait that way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configure(Task):
    """Namespaces first, because config maps live in them; then what is independent, together; restarts at the end."""

    timeout: float
    namespaces: Sequence[configuring.Namespace]
    priority_classes: Sequence[configuring.PriorityClass]
    config_maps: Sequence[configuring.ConfigMap]
    entries: Sequence[NodeEntry]
    restarts: Sequence[Restart]

    summary: ClassVar[str] = "Prepares the cluster: virtual nodes, namespaces, config maps, priority classes, restarts."
    schema: ClassVar[Mapping[str, Any]] = {
        "required": ["timeout"],
        "properties": {
            "timeout": {"$ref": "#/$defs/duration", "description": "How long the whole task may take."},
            "nodes": {
                "type": ["array", "null"],
                "items": {"$ref": "#/$defs/nodeEntry"},
                "description": "Groups of equal nodes, as in a values file.",
            },
            "namespaces": {
                "type": ["array", "null"],
                "items": {
                    "type": "object",
                    "required": ["name", "op"],
                    "properties": {
                        "name": {"$ref": "#/$defs/dnsLabel", "description": "The name of the namespace."},
                        "op": {
                            "enum": ["create", "delete"],
                            "description": "Whether it should be there or not; either may be so already.",
                        },
                    },
                    "additionalProperties": False,
                    "x-expected": "a map with name and op",
                },
                "description": "Namespaces to create or delete; done before everything else.",
            },
            "configmaps": {
                "type": ["array", "null"],
                "items": {
                    "type": "object",
                    "required": ["name", "namespace", "op"],
                    "properties": {
                        "name": {"$ref": "#/$defs/dnsName", "description": "The name of the config map."},
                        "namespace": {"$ref": "#/$defs/dnsLabel", "description": "The namespace that it is in."},
                        "op": {
                            "enum": ["create", "delete"],
                            "description": "Whether it should be there or not; either may be so already.",
                        },
                        "data": {
                            "type": ["object", "null"],
                            "additionalProperties": {"$ref": "#/$defs/nullableString"},
                            "propertyNames": {
                                "pattern": "^[-._a-zA-Z0-9]+$",
                                "maxLength": 253,
                                "x-expected": "letters, digits, '-', '_' and '.', at most 253",
                                "patternErrorMessage": "Expected letters, digits, '-', '_' and '.', at most 253.",
                            },
                            "description": "Texts by key; numbers and booleans become text.",
                        },
                    },
                    "additionalProperties": False,
                    "x-expected": "a map with name, namespace and op",
                },
                "description": "Config maps to create or delete; one that exists gets exactly this data.",
            },
            "priorityClasses": {
                "type": ["array", "null"],
                "items": {
                    "type": "object",
                    "required": ["name", "op"],
                    "properties": {
                        "name": {"$ref": "#/$defs/dnsName", "description": "The name of the priority class."},
                        "op": {
                            "enum": ["create", "delete"],
                            "description": "Whether it should be there or not; either may be so already.",
                        },
                        "value": {
                            "type": "integer",
                            "minimum": -2147483648,
                            "maximum": 1000000000,
                            "description": (
                                "Pods of a class with a higher value are scheduled first; needed to create it."
                            ),
                        },
                    },
                    "additionalProperties": False,
                    "x-expected": "a map with name, op and, to create it, value",
                    "allOf": [
                        {
                            "if": {"properties": {"op": {"const": "create"}}, "required": ["op"]},
                            "then": {"required": ["value"]},
                        }
                    ],
                },
                "description": "Priority classes to create or delete; one with another value is replaced.",
            },
            "deploymentRestarts": {
                "type": ["array", "null"],
                "items": {
                    "type": "object",
                    "required": ["namespace"],
                    "properties": {
                        "namespace": {"$ref": "#/$defs/dnsLabel", "description": "The namespace of the deployment."},
                        "name": {
                            "$ref": "#/$defs/dnsName",
                            "description": "The name of the deployment; either this or labels.",
                        },
                        "labels": {
                            "$ref": "#/$defs/labels",
                            "description": "Labels of exactly one deployment; either these or its name.",
                        },
                    },
                    "additionalProperties": False,
                    "x-expected": "a map with namespace and one of name and labels",
                    "allOf": [
                        {
                            "oneOf": [{"required": ["name"]}, {"required": ["labels"]}],
                            "x-expected": "exactly one of name and labels",
                        }
                    ],
                },
                "description": "Deployments to restart, as `kubectl rollout restart` does; done last.",
            },
        },
    }
    rights: ClassVar[Sequence[Rule]] = (
        Rule(("create", *FOLLOW), NAMESPACES, when="namespaces", op="create"),
        Rule(("get",), NAMESPACES, use=Use.SOMETIMES, when="namespaces", op="create"),
        Rule(("delete",), NAMESPACES, use=Use.CLEANUP, when="namespaces", op="create"),
        Rule(("delete", *FOLLOW), NAMESPACES, when="namespaces", op="delete"),
        Rule(("create",), PRIORITY_CLASSES, when="priorityClasses", op="create"),
        # One with another value is deleted and made again, and cleanup brings the former one back.
        Rule(("get", "delete", *FOLLOW), PRIORITY_CLASSES, use=Use.SOMETIMES, when="priorityClasses", op="create"),
        Rule(("delete", *FOLLOW), PRIORITY_CLASSES, use=Use.CLEANUP, when="priorityClasses", op="create"),
        Rule(("get", "delete", *FOLLOW), PRIORITY_CLASSES, when="priorityClasses", op="delete"),
        Rule(("create",), PRIORITY_CLASSES, use=Use.CLEANUP, when="priorityClasses", op="delete"),
        Rule(("create",), CONFIG_MAPS, when="configmaps", op="create"),
        Rule(("get", "patch"), CONFIG_MAPS, use=Use.SOMETIMES, when="configmaps", op="create"),
        Rule(("delete", *FOLLOW), CONFIG_MAPS, use=Use.CLEANUP, when="configmaps", op="create"),
        Rule(("get", "delete"), CONFIG_MAPS, when="configmaps", op="delete"),
        Rule(("create",), CONFIG_MAPS, use=Use.CLEANUP, when="configmaps", op="delete"),
        Rule(("create", *FOLLOW), NODES, when="nodes"),
        Rule(("get", "patch", "delete"), NODES, use=Use.SOMETIMES, when="nodes"),
        Rule(("patch",), NODES, "status", use=Use.SOMETIMES, when="nodes"),
        Rule(("delete",), NODES, use=Use.CLEANUP, when="nodes"),
        Rule(FOLLOW, LEASES, use=Use.SOMETIMES, when="nodes", everywhere=True),
        # For nodes with devices; a cluster without dynamic resource allocation need not know them.
        Rule(("list", "create", "patch", "delete"), RESOURCE_SLICES, use=Use.SOMETIMES, when="nodes"),
        Rule(("list", "create", "patch", "delete"), DEVICE_CLASSES, use=Use.SOMETIMES, when="nodes"),
        Rule(("get", "patch", *FOLLOW), DEPLOYMENTS, when="deploymentRestarts"),
    )

    @classmethod
    def apply_compat(cls, params: dict[str, Any], place: Location) -> Iterator[Complaint]:
        return apply_compat_to_nodes(params.get("nodes"), (*place, "nodes"))

    @property
    def makes_nodes(self) -> bool:
        return bool(self.entries)

    def added_node_labels(self) -> Iterator[str]:
        return (key for entry in self.entries for key in entry.labels)

    def freed(self) -> Iterator[Name]:
        for key, resource in _SETTINGS.items():
            for entry in self.document.params.get(key) or ():
                if entry["op"] == "delete":
                    yield resource, str(entry["namespace"]) if "namespace" in entry else None, str(entry["name"])

    @classmethod
    def parse(cls, document: TaskDocument) -> Self:
        params = document.params
        entries, _ = parse_entries(document.document, (), params.get("nodes"))
        return cls(
            document=document,
            timeout=timeout_of(document) or 0.0,
            namespaces=[configuring.Namespace.parse(item) for item in params.get("namespaces", ())],
            priority_classes=[configuring.PriorityClass.parse(item) for item in params.get("priorityClasses", ())],
            config_maps=[configuring.ConfigMap.parse(item) for item in params.get("configmaps", ())],
            entries=entries,
            restarts=[Restart.parse(item) for item in params.get("deploymentRestarts", ())],
        )

    def check(self, scope: Scope) -> Iterator[Violation]:  # noqa: ARG002 - nothing is referred to
        for index, given in enumerate(self.restarts):
            if not given.name and not given.labels:
                yield self.document.violation("labels must not be empty", "deploymentRestarts", index)

    async def render(self, scope: Scope, helm: Helm) -> Rendering:  # noqa: ARG002 - nothing is referred to
        return Rendering(nodes=owned(await render_nodes(helm, self.entries))) if self.entries else NOTHING

    async def run(self, context: Context, scope: Scope) -> Outcome:
        deadline = asyncio.get_running_loop().time() + self.timeout
        title = self.document.id
        messages: list[str] = []

        async def nodes() -> list[str]:
            rendered = context.rendering.nodes
            if rendered is None:
                return []
            group = context.ledger.group(f"nodes of {title}")
            return [await configuring.nodes(context, group, rendered, deadline)]

        async def restarts() -> list[str]:
            messages = []
            for item in self.restarts:
                try:
                    messages.append(await restart(context.gateway, item, deadline))
                except NothingToRestart as error:
                    if not scope.shared.lenient:
                        raise
                    context.step.note(error.message, warning=True)
            return messages

        def each(items: Sequence[configuring.Setting], name: str) -> Callable[[], Awaitable[list[str]]]:
            async def apply() -> list[str]:
                if not items:
                    return []
                return await configuring.settings(context, context.ledger.group(f"{name} of {title}"), items, deadline)

            return apply

        stages = (
            (each(self.namespaces, "namespaces"),),
            (each(self.priority_classes, "priority classes"), each(self.config_maps, "config maps"), nodes),
            (restarts,),
        )
        try:
            async with asyncio.timeout(self.timeout + _SLACK_SECONDS):
                for stage in stages:
                    messages += await _together(stage)
        except TimeoutError:
            done = f"; done: {'; '.join(messages)}" if messages else ""
            raise DeadlineExceeded(f"not done after {self.timeout:g} s{done}{context.heard()}") from None
        data: dict[str, Any] = {"changes": messages}
        return Outcome(message="; ".join(messages) or "nothing to do", data=data)


async def _together(works: Sequence[Callable[[], Awaitable[list[str]]]]) -> list[str]:
    """Await all, also when one fails; raises one error with all messages."""
    tasks = [asyncio.ensure_future(work()) for work in works]
    try:
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    except asyncio.CancelledError:
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    errors = [primary_error(answer) for answer in answers if isinstance(answer, BaseException)]
    for error in errors:
        if not isinstance(error, ClusterError):
            raise error
    if errors:
        raise configuring.joined([error for error in errors if isinstance(error, ClusterError)])
    return [line for answer in answers if not isinstance(answer, BaseException) for line in answer]
