"""Parts of the engine of existing clusters that need no cluster."""

from __future__ import annotations

from typing import Any

import pytest

from knavtool.engines.existing.sending import before_webhooks, webhooks_and_api_services
from knavtool.kube.rollout import JobFailed, lacking


def workload(kind: str, status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    metadata = {"name": "w", "namespace": "n", "generation": 2}
    return {"kind": kind, "metadata": metadata, "spec": spec, "status": {"observedGeneration": 2, **status}}


STUCK = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "no quota"}


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (workload("Deployment", {"observedGeneration": 1}), "not seen by its controller yet"),
        (workload("Deployment", {}, replicas=2), "0 of 2 pods up to date"),
        (workload("Deployment", {"updatedReplicas": 1, "replicas": 2}), "1 old pods still there"),
        (workload("Deployment", {"updatedReplicas": 1, "replicas": 1}), "0 of 1 pods available"),
        (workload("Deployment", {"updatedReplicas": 1, "replicas": 1, "availableReplicas": 1}), ""),
        (workload("Deployment", {}, replicas=0), ""),
        (workload("Deployment", {"conditions": [STUCK]}), "0 of 1 pods up to date; its rollout is stuck: no quota"),
        (workload("Deployment", {"observedGeneration": 1, "conditions": [STUCK]}), "not seen by its controller yet"),
        (workload("Deployment", {"conditions": [STUCK]}, replicas=0), ""),
        (workload("StatefulSet", {"readyReplicas": 1}, replicas=3), "1 of 3 pods ready"),
        (
            workload("StatefulSet", {"readyReplicas": 1, "currentRevision": "a", "updateRevision": "b"}),
            "0 of 1 pods up",
        ),
        (workload("DaemonSet", {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2}), "0 of 2 pods available"),
        (workload("DaemonSet", {}), ""),
        (workload("Job", {}), "not complete"),
        (workload("Job", {"conditions": [{"type": "Complete", "status": "True"}]}), ""),
    ],
)
def test_what_a_workload_lacks(item: dict[str, Any], said: str) -> None:
    assert lacking(item).startswith(said)
    assert bool(lacking(item)) == bool(said)


def test_a_job_that_failed_is_not_waited_for() -> None:
    condition = {"type": "Failed", "status": "True", "message": "too often"}
    with pytest.raises(JobFailed, match="Job n/w failed: too often"):
        lacking(workload("Job", {"conditions": [condition]}))


def test_what_the_server_asks_through_comes_last() -> None:
    kinds = ["MutatingWebhookConfiguration", "Deployment", "CustomResourceDefinition", "APIService", "Namespace"]
    objects = [{"kind": kind} for kind in kinds]
    assert [one["kind"] for one in before_webhooks(objects)] == ["Deployment", "Namespace"]
    assert [one["kind"] for one in webhooks_and_api_services(objects)] == ["MutatingWebhookConfiguration", "APIService"]
