"""How far workloads are, by the signs of `kubectl rollout status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from knavtool.kube.resource import Manifest


class JobFailed(ClusterError):
    """A Job that belongs to a component has failed, and will not be tried again."""


def lacking(workload: Manifest) -> str:
    """Why a workload does not work yet, "" if it does. Raises JobFailed."""
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    if not _seen(workload):
        return "not seen by its controller yet"
    reason = _LACKING[workload["kind"]](spec, status, workload["metadata"])
    why = stuck(workload) if reason else ""
    return f"{reason}; its rollout is stuck: {why}" if why else reason


def stuck(workload: Manifest) -> str:
    """What the controller says of a rollout that has taken longer than its progressDeadlineSeconds, "" if none has."""
    for condition in (workload.get("status") or {}).get("conditions") or () if _seen(workload) else ():
        if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return str(condition.get("message") or condition["reason"])
    return ""


def _seen(workload: Manifest) -> bool:
    observed = (workload.get("status") or {}).get("observedGeneration", 0)
    return bool(workload["kind"] == "Job" or observed >= workload["metadata"].get("generation", 0))


def _deployment(spec: Mapping[str, Any], status: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    wanted = spec.get("replicas", 1)
    if (updated := status.get("updatedReplicas", 0)) < wanted:
        return f"{updated} of {wanted} pods up to date"
    if (old := status.get("replicas", 0) - updated) > 0:
        return f"{old} old pods still there"
    available = status.get("availableReplicas", 0)
    return f"{available} of {wanted} pods available" if available < wanted else ""


def _stateful_set(spec: Mapping[str, Any], status: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    wanted, ready = spec.get("replicas", 1), status.get("readyReplicas", 0)
    if ready < wanted:
        return f"{ready} of {wanted} pods ready"
    updated = status.get("currentRevision") == status.get("updateRevision")
    return "" if updated else f"{status.get('updatedReplicas', 0)} of {wanted} pods up to date"


def _daemon_set(_spec: Mapping[str, Any], status: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    wanted = status.get("desiredNumberScheduled", 0)
    if (updated := status.get("updatedNumberScheduled", 0)) < wanted:
        return f"{updated} of {wanted} pods up to date"
    available = status.get("numberAvailable", 0)
    return f"{available} of {wanted} pods available" if available < wanted else ""


def _job(_spec: Mapping[str, Any], status: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    conditions = {one["type"]: one for one in status.get("conditions") or () if one["status"] == "True"}
    if (failed := conditions.get("Failed")) is not None:
        why = failed.get("message") or failed.get("reason", "")
        raise JobFailed(f"Job {metadata['namespace']}/{metadata['name']} failed: {why}")
    return "" if "Complete" in conditions else "not complete"


_LACKING: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], str]] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
}
WORKLOADS = tuple(_LACKING)
