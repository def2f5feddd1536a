"""What objects own, and what the conditions of all of them say about why nothing gets on."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from knavtool.errors import Forbidden
from knavtool.kube.resource import JOBS, NODES, PODS, Manifest, Resource
from knavtool.workflow.observing.diagnosis import diagnose
from knavtool.workflow.submission import Submitted
from support.memory import Memory
from support.workflows import pod

WORKLOADS = Resource("queues.example.com", "v1", "workloads", "Workload", namespaced=True)
CHECKS = Resource("queues.example.com", "v1", "checks", "Check", namespaced=True)
NO_QUOTA = {
    "type": "QuotaReserved",
    "status": "False",
    "reason": "Pending",
    "message": "couldn't assign flavors: nvidia.com/gpu unavailable",
    "lastTransitionTime": "2026-01-01T00:00:30Z",
}


def reference(kind: str, owner: Manifest) -> dict[str, Any]:
    metadata = owner["metadata"]
    return {"apiVersion": "v1", "kind": kind, "name": metadata["name"], "uid": metadata["uid"]}


async def make(
    memory: Memory, resource: Resource, name: str, owner: dict[str, Any] | None = None, *conditions: dict[str, Any]
) -> Manifest:
    metadata = {"name": name} | ({"ownerReferences": [owner]} if owner else {})
    body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
    made = await memory.create(resource, body, namespace="default" if resource.namespaced else None)
    await memory.patch(
        resource,
        name,
        {"status": {"conditions": list(conditions)}},
        namespace="default" if resource.namespaced else None,
        subresource="status",
    )
    return made


def submitted(resource: Resource, made: Manifest) -> Submitted:
    namespace = "default" if resource.namespaced else None
    return Submitted(resource=resource, namespace=namespace, name=made["metadata"]["name"], uid=made["metadata"]["uid"])


async def test_what_an_object_owns_says_why_it_is_held_at_any_depth() -> None:
    memory = Memory([WORKLOADS, CHECKS])
    job = await make(memory, JOBS, "a", None, {"type": "Suspended", "status": "True", "reason": "JobSuspended"})
    workload = await make(memory, WORKLOADS, "job-a", reference("Job", job), NO_QUOTA)
    last = {"type": "Passed", "status": "False", "reason": "NoCapacity", "lastTransitionTime": "2026-01-01T00:00:40Z"}
    await make(memory, CHECKS, "check-a", reference("Workload", workload), last)
    # That of somebody else says nothing about this Job.
    await make(memory, WORKLOADS, "job-b", {**reference("Job", job), "uid": "other"}, NO_QUOTA)
    found = await diagnose(memory, [submitted(JOBS, job)])
    assert found.lines() == [
        "conditions:",
        "  Check default/check-a: Passed=False (NoCapacity)",
        f"  Workload default/job-a: QuotaReserved=False (Pending: {NO_QUOTA['message']})",
        "  Job default/a: Suspended=True (JobSuspended)",
    ]
    assert [group["objects"] for group in json.loads(json.dumps(found.data()))["conditions"]] == [
        ["default/check-a"],
        ["default/job-a"],
        ["default/a"],
    ]


async def test_equal_conditions_of_many_objects_are_one_line_and_few_requests() -> None:
    memory = Memory([WORKLOADS])
    jobs = [await make(memory, JOBS, f"j{number}") for number in range(20)]
    for number, job in enumerate(jobs):
        await make(memory, WORKLOADS, f"w{number}", reference("Job", job), NO_QUOTA)
    memory.calls.clear()
    found = await diagnose(memory, [submitted(JOBS, job) for job in jobs])
    (line,) = found.lines()[1:]
    assert line.startswith("  Workload default/w0, default/w1, default/w2 and 17 more: QuotaReserved=False")
    assert memory.calls.count(("list", "Workload", "")) == 2
    assert not [call for call in memory.calls if call[0] == "get"]


async def test_a_pod_owns_too() -> None:
    memory = Memory([WORKLOADS])
    await make(memory, WORKLOADS, "pod-a", reference("Pod", pod("a")), NO_QUOTA)
    found = await diagnose(memory, pods=[pod("a", phase="Pending")])
    assert found.conditions[0].objects == ("default/pod-a",)


async def test_what_pods_of_an_object_own_is_found_without_naming_them() -> None:
    memory = Memory([WORKLOADS])
    job = await make(memory, JOBS, "a")
    one = await make(memory, PODS, "a-0", reference("Job", job), {"type": "PodScheduled", "status": "False"})
    await make(memory, WORKLOADS, "pod-a-0", reference("Pod", one), NO_QUOTA)
    found = await diagnose(memory, [submitted(JOBS, job)])
    assert [group.objects for group in found.conditions] == [("default/pod-a-0",)]


async def test_conditions_that_are_as_they_should_be_are_not_told() -> None:
    memory = Memory()
    well = [
        {"type": "MemoryPressure", "status": "False"},
        {"type": "NetworkUnavailable", "status": "False"},
        {"type": "Ready", "status": "True"},
        {"type": "Custom", "status": "Unknown"},
    ]
    node = await make(memory, NODES, "n", None, *well, {"type": "DiskPressure", "status": "True"})
    found = await diagnose(memory, [submitted(NODES, node)])
    assert found.lines() == ["conditions:", "  Node n: DiskPressure=True"]


async def test_odd_conditions_are_passed_over() -> None:
    memory = Memory([WORKLOADS])
    job = await make(memory, JOBS, "a")
    odd: Any = ["text", {"status": "False"}, {"type": 1, "status": "False"}, {**NO_QUOTA, "lastTransitionTime": "soon"}]
    await make(memory, WORKLOADS, "w", reference("Job", job), *odd)
    found = await diagnose(memory, [submitted(JOBS, job)])
    assert [group.type for group in found.conditions] == ["QuotaReserved"]


async def test_kinds_that_may_not_be_listed_hide_only_themselves() -> None:
    memory = Memory([WORKLOADS, CHECKS])
    job = await make(memory, JOBS, "a")
    await make(memory, WORKLOADS, "w", reference("Job", job), NO_QUOTA)
    await make(memory, CHECKS, "c", reference("Job", job), NO_QUOTA)
    memory.refuse["list", "Check"] = Forbidden("no", status=403)
    found = await diagnose(memory, [submitted(JOBS, job)])
    assert [group.kind for group in found.conditions] == ["Workload"]
    assert found.notes == ()


async def test_a_server_that_is_slow_leaves_a_note() -> None:
    memory = Memory()

    async def kinds() -> Any:
        await asyncio.sleep(60)

    memory.kinds = kinds  # type: ignore[method-assign]
    job = await make(memory, JOBS, "a")
    found = await diagnose(memory, [submitted(JOBS, job)], timeout=0.05)
    assert found.notes == ("not all objects that belong to these were looked at within 0.05 s",)


async def test_what_is_wrong_with_the_events_does_not_hide_what_is_wrong_with_the_conditions() -> None:
    memory = Memory()
    memory.refuse["list", "Event"] = Forbidden("you may not list events", status=403)

    async def kinds() -> Any:
        raise Forbidden("you may not see kinds", status=403)

    memory.kinds = kinds  # type: ignore[method-assign]
    job = await make(memory, JOBS, "a")
    assert (await diagnose(memory, [submitted(JOBS, job)])).lines() == [
        "what belongs to these cannot be read: you may not see kinds",
        "events cannot be read: you may not list events",
    ]
