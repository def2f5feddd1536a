"""What a package of others may import to bring task types; docs/extending.md shows how.

A class names the version of this interface that it was written for as `tasks_api = 1`. The version grows when something
here goes away or changes its meaning, not when something is added. What other modules have may change at any time.
"""

from __future__ import annotations

from knavtool.documents.duration import parse_duration
from knavtool.documents.workflow import TaskDocument
from knavtool.errors import AlreadyExists, ClusterError, Forbidden, InvalidDocument, NotFound, Violation
from knavtool.helm import Helm
from knavtool.kube.gateway import Gateway
from knavtool.kube.resource import CONFIG_MAPS, JOBS, NAMESPACES, NODES, PODS, Resource
from knavtool.workflow.references.observed import ObservedPods
from knavtool.workflow.references.scope import Scope
from knavtool.workflow.rights import FOLLOW, SUBMITTED, Rule, Use
from knavtool.workflow.task import NOTHING, Context, Item, Name, Outcome, Rendering, Task, timeout_of

TASKS_API = 1
"""The version of this interface."""

__all__ = [
    "CONFIG_MAPS",
    "FOLLOW",
    "JOBS",
    "NAMESPACES",
    "NODES",
    "NOTHING",
    "PODS",
    "SUBMITTED",
    "TASKS_API",
    "AlreadyExists",
    "ClusterError",
    "Context",
    "Forbidden",
    "Gateway",
    "Helm",
    "InvalidDocument",
    "Item",
    "Name",
    "NotFound",
    "ObservedPods",
    "Outcome",
    "Rendering",
    "Resource",
    "Rule",
    "Scope",
    "Task",
    "TaskDocument",
    "Use",
    "Violation",
    "parse_duration",
    "timeout_of",
]
