"""What a package of others may import to bring task types; docs/extending.md shows how.

A class names the version of this interface that it was written for as `tasks_api = 1`. The version grows when something
here goes away or changes its meaning, not when something is added. What other modules have may change at any time.
"""

from __future__ import annotations

from knavtool.documents.duration import parse_duration
from knavtool.documents.workflow import TaskDocument
from knavtool.errors import AlreadyExists, ClusterError, Forbidden, InvalidDocument, NotFound, Violation
from knavtool.helm import Helm
from knavtool.kube.gateway import Change, Gateway
from knavtool.kube.merging import watch_all
from knavtool.kube.resource import CONFIG_MAPS, EVENTS, JOBS, NAMESPACES, NODES, PODS, Resource
from knavtool.workflow.objects.following import follow
from knavtool.workflow.objects.limits import Limit
from knavtool.workflow.references.checks import index_violations
from knavtool.workflow.references.observed import ObservedPods
from knavtool.workflow.references.regexps import compile_pattern
from knavtool.workflow.references.scope import Scope
from knavtool.workflow.rights import FOLLOW, SUBMITTED, Rule, Use
from knavtool.workflow.submission import refusals
from knavtool.workflow.task import NOTHING, Context, Item, Name, Outcome, Rendering, Task, timeout_of

TASKS_API = 1
"""The version of this interface."""

__all__ = [
    "CONFIG_MAPS",
    "EVENTS",
    "FOLLOW",
    "JOBS",
    "NAMESPACES",
    "NODES",
    "NOTHING",
    "PODS",
    "SUBMITTED",
    "TASKS_API",
    "AlreadyExists",
    "Change",
    "ClusterError",
    "Context",
    "Forbidden",
    "Gateway",
    "Helm",
    "InvalidDocument",
    "Item",
    "Limit",
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
    "compile_pattern",
    "follow",
    "index_violations",
    "parse_duration",
    "refusals",
    "timeout_of",
    "watch_all",
]
