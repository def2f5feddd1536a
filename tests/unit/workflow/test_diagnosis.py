"""The last events of what is not as it should be."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from knavtool.errors import Forbidden
from knavtool.kube.resource import EVENTS, JOBS, NODES, Resource
from knavtool.workflow.observing.diagnosis import EVENTS_PER_OBJECT, diagnose
from knavtool.workflow.submission import Submitted
from support.memory import Memory
from support.workflows import pod

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOW = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
NO_ROOM = "0/36 nodes are available: 36 Insufficient nvidia.com/gpu."


async def tell(memory: Memory, kind: str, name: str, reason: str, message: str, **more: Any) -> None:
    """Write an event as the scheduler does."""
    given = {"type": "Warning", "reportingComponent": "default-scheduler", "eventTime": "2026-01-01T00:00:30.000000Z"}
    uid = more.pop("uid", f"uid-{name}")
    namespace = more.pop("namespace", "default")
    reference = {"kind": kind, "namespace": namespace, "name": name, "uid": uid}
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{name}."},
        "involvedObject": reference,
        "reason": reason,
        "message": message,
        **given,
        **more,
    }
    await memory.create(EVENTS, event, namespace=namespace)


def job(name: str, namespace: str | None = "default", resource: Resource = JOBS) -> Submitted:
    return Submitted(resource=resource, namespace=namespace, name=name, uid=f"uid-{name}")


async def test_equal_events_of_many_pods_are_one_line() -> None:
    memory = Memory()
    for number in range(88):
        await tell(memory, "Pod", f"p{number}", "FailedScheduling", NO_ROOM)
    pods = [pod(f"p{number}", phase="Pending") for number in range(88)]
    found = await diagnose(memory, pods=pods, now=lambda: NOW)
    about = "Pod default/p0, default/p1, default/p2 and 85 more; 88 times, 30 s ago, default-scheduler"
    assert found.lines() == ["last events:", f"  Warning FailedScheduling: {NO_ROOM} ({about})"]
    (group,) = json.loads(json.dumps(found.data()))["events"]
    assert (group["count"], group["age"], group["reporter"]) == (88, 30.0, "default-scheduler")
    assert memory.calls.count(("list", "Event", "")) == 1


async def test_only_what_was_asked_for_is_told() -> None:
    memory = Memory()
    await tell(memory, "Job", "job-1", "FailedCreate", "exceeded quota", reportingComponent="job-controller")
    await tell(memory, "Job", "job-10", "FailedCreate", "of another")
    await tell(memory, "Job", "job-1", "FailedCreate", "of an earlier run", uid="another uid")
    await tell(memory, "Pod", "job-1", "FailedScheduling", "of another kind")
    await tell(memory, "Job", "job-1", "FailedCreate", "of another namespace", namespace="elsewhere")
    found = await diagnose(memory, [job("job-1")], now=lambda: NOW)
    assert [group.message for group in found.events] == ["exceeded quota"]


async def test_the_owners_of_pods_are_asked_for_too() -> None:
    memory = Memory()
    owner = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "child", "uid": "uid-child"}}
    await tell(memory, "Job", "child", "FailedCreate", "exceeded quota")
    found = await diagnose(memory, pods=[pod("child-0", owner)], now=lambda: NOW)
    assert [group.objects for group in found.events] == [("default/child",)]


async def test_the_newest_few_of_each_object_are_kept_and_warnings_come_first() -> None:
    memory = Memory()
    for second in range(10):
        await tell(memory, "Pod", "p", "Old", f"number {second}", eventTime=f"2026-01-01T00:00:0{second}Z")
    await tell(memory, "Pod", "p", "Scheduled", "assigned to n1", type="Normal", eventTime="2026-01-01T00:00:59Z")
    found = await diagnose(memory, pods=[pod("p")], now=lambda: NOW)
    assert [group.message for group in found.events] == ["number 9", "number 8", "assigned to n1"]
    assert len(found.events) == EVENTS_PER_OBJECT


async def test_events_that_are_no_warnings_are_one_group_whatever_they_name() -> None:
    memory = Memory()
    for number in range(5):
        await tell(memory, "Pod", f"p{number}", "Scheduled", f"assigned p{number} to n{number}", type="Normal")
    found = await diagnose(memory, pods=[pod(f"p{number}") for number in range(5)], now=lambda: NOW)
    assert [group.count for group in found.events] == [5]


async def test_counts_and_times_of_either_api_are_understood() -> None:
    memory = Memory()
    old = {"eventTime": None, "reportingComponent": "", "source": {"component": "kubelet"}}
    await tell(memory, "Pod", "old", "BackOff", "x", count=7, lastTimestamp="2026-01-01T00:00:50Z", **old)
    series = {"count": 9, "lastObservedTime": "2026-01-01T00:00:58.000000Z"}
    await tell(memory, "Pod", "new", "BackOff", "y", series=series)
    await tell(memory, "Pod", "clock", "BackOff", "z", eventTime="2026-01-01T00:02:00Z")
    found = await diagnose(memory, pods=[pod("old"), pod("new"), pod("clock")], now=lambda: NOW)
    assert [(group.message, group.count, group.age, group.reporter) for group in found.events] == [
        ("z", 1, 0.0, "default-scheduler"),
        ("y", 9, 2.0, "default-scheduler"),
        ("x", 7, 10.0, "kubelet"),
    ]


async def test_cluster_scoped_objects_have_their_events_in_default() -> None:
    memory = Memory()
    await tell(memory, "Node", "n1", "NodeNotReady", "is not ready")
    found = await diagnose(memory, [job("n1", None, NODES)], now=lambda: NOW)
    assert [group.reason for group in found.events] == ["NodeNotReady"]


async def test_no_event_gives_no_line() -> None:
    found = await diagnose(Memory(), [job("a")])
    assert (found.lines(), found.data()) == ([], {"conditions": [], "events": []})
    assert await diagnose(Memory()) == found


async def test_a_refusal_becomes_a_note() -> None:
    memory = Memory()
    memory.refuse["list", "Event"] = Forbidden("you may not list events", status=403)
    found = await diagnose(memory, [job("a")])
    assert found.lines() == ["events cannot be read: you may not list events"]


class Endless(Memory):
    """A server that sends one page and then nothing."""

    async def pages(self, *given: Any, **more: Any) -> AsyncIterator[list[dict[str, Any]]]:
        async for page in super().pages(*given, **more):
            yield page
        await asyncio.Event().wait()


async def test_a_slow_server_gives_what_was_read_in_time() -> None:
    memory = Endless()
    await tell(memory, "Job", "a", "FailedCreate", "exceeded quota")
    found = await diagnose(memory, [job("a")], timeout=0.05)
    assert [group.reason for group in found.events] == ["FailedCreate"]
    assert found.lines()[-1] == "there may be more events: not all were read within 0.05 s"
