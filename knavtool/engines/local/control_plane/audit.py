"""The API server's audit log: the moment of each write of a pod, and who asks for what, for recordings of runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from knavtool.atomic import atomic_write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from knavtool.engines.local.state.layout import ClusterFiles

_NOISE = {"": ["events"], "events.k8s.io": ["events"], "coordination.k8s.io": ["leases"]}
_VERBS = ["create", "update", "patch", "delete", "deletecollection", "get", "list"]
POLICY: Mapping[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    # One line per request, when it has been answered.
    "omitStages": ["RequestReceived", "ResponseStarted", "Panic"],
    "omitManagedFields": True,
    "rules": [
        {"level": "None", "nonResourceURLs": ["*"]},
        {"level": "None", "resources": [{"group": group, "resources": names} for group, names in _NOISE.items()]},
        # Controllers let the server choose the name of a pod, which only the answer tells.
        {"level": "RequestResponse", "verbs": ["create"], "resources": [{"group": "", "resources": ["pods"]}]},
        {"level": "Metadata", "verbs": _VERBS},
        {"level": "None"},
    ],
}
"""No watches, events, leases, and nothing of objects, such as Secrets, but pods that are created."""


def audit_args(files: ClusterFiles) -> dict[str, str]:
    """Write the policy; returns the API server's arguments for it.

    Requests do not wait for their lines, which are in the file some milliseconds later. What there is of it at a time
    is bounded by twice 64 MiB.
    """
    atomic_write(files.audit_policy, json.dumps(POLICY, indent=2))
    return {
        "audit-policy-file": str(files.audit_policy),
        "audit-log-path": str(files.audit_log),
        "audit-log-format": "json",
        "audit-log-mode": "batch",
        "audit-log-maxsize": "64",
        "audit-log-maxbackup": "1",
        # Lines are lost, and a recording would use the moments of its watch, if so many are waiting.
        "audit-log-batch-buffer-size": "50000",
    }
