"""What a run writes of the cluster: pods, nodes, and the kinds that own and queue pods."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from knavtool import resources
from knavtool.catalogue.recorded import read_link, read_recorded
from knavtool.errors import Forbidden
from knavtool.kube.gateway import SYNCED, Change, WatchEvent, interruption
from knavtool.kube.resource import NODES, PODS
from knavtool.kube.store import Stores
from knavtool.recording.amounts import requests
from knavtool.recording.cluster import ClusterFacts
from knavtool.recording.kinds import KUBERNETES, RecordedKinds
from knavtool.recording.objects import ObjectFacts
from knavtool.recording.pods import PodFacts, asked_runtime
from support.memory import Memory
from support.recordings import schema


class Facts:
    """Facts of a cluster in memory, as a run gets them."""

    def __init__(self, kinds: RecordedKinds | None = None, *, everything: bool = False) -> None:
        self.memory = Memory()
        self.written: list[dict[str, Any]] = []
        self.facts = ClusterFacts(self.write, kinds, everything=everything)

    def write(self, **fact: Any) -> None:
        known = {key: value for key, value in fact.items() if value not in (None, "", {}, [])}
        schema().validate({"at": 0, **known})
        self.written.append(known)

    def events(self, name: str) -> list[tuple[str, str]]:
        found = [one for one in self.written if one.get("name") == name]
        return [(one["event"], one.get("node") or one.get("reason") or "") for one in found]


POD: dict[str, Any] = {
    "metadata": {
        "name": "p",
        "namespace": "default",
        "labels": {"queue": "a"},
        "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u", "controller": True}],
    },
    "spec": {
        "schedulerName": "default-scheduler",
        "priority": 5,
        "schedulingGates": [{"name": "kueue.x-k8s.io/admission"}],
        "containers": [{"name": "c", "resources": {"limits": {"cpu": "100m", "nvidia.com/gpu": "8"}}}],
    },
}


async def test_the_life_of_a_pod() -> None:
    one = Facts()
    pods = PodFacts(one.write, RecordedKinds())
    pod = {**POD, "metadata": {**POD["metadata"], "uid": "1"}}

    def now(change: Change = Change.MODIFIED, **parts: Any) -> None:
        pods.take(WatchEvent(change, {**pod, **parts}), late=False)

    def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
        return {"conditions": [{"type": kind, "status": status, "reason": reason, "message": message}]}

    now(Change.ADDED)
    open_ = {**POD["spec"], "schedulingGates": []}
    pending = condition("PodScheduled", "False", "Unschedulable", "0/2 nodes are available")
    now(spec=open_, status=pending)
    now(spec=open_, status=pending)
    now(spec=open_, status={**pending, "nominatedNodeName": "n1"})
    bound = {**open_, "nodeName": "n1"}
    now(spec=bound, status={"phase": "Pending"})
    now(spec=bound, status={"phase": "Running", **condition("Ready", "True", "")})
    doomed = {**pod["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    evicted = condition("DisruptionTarget", "True", "PreemptionByScheduler", "preempted by q")
    now(spec=bound, metadata=doomed, status={"phase": "Failed", **evicted})
    now(Change.DELETED, spec=bound)
    assert one.events("p") == [
        ("created", ""),
        ("gated", "kueue.x-k8s.io/admission"),
        ("unschedulable", "Unschedulable: 0/2 nodes are available"),
        ("nominated", "n1"),
        ("bound", "n1"),
        ("running", ""),
        ("ready", ""),
        ("disrupted", "PreemptionByScheduler: preempted by q"),
        ("failed", ""),
        ("deleting", ""),
        ("deleted", ""),
    ]
    created = one.written[0]
    assert created["requests"] == {"cpu": 0.1, "nvidia.com/gpu": 8}
    assert (created["ownerKind"], created["owner"], created["priority"]) == ("Job", "j", 5)
    assert created["labels"] == {"queue": "a"}


async def test_pods_and_nodes_of_a_run() -> None:
    one = Facts(everything=True)
    node = {
        "metadata": {"name": "n1", "labels": {"rack": "r1"}},
        "spec": {"taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}]},
        "status": {"allocatable": {"nvidia.com/gpu": "8", "memory": "1Ki"}},
    }
    await one.memory.create(NODES, node)
    async with Stores(one.memory, keep={PODS: lambda pod: one.facts.keep(pod, pod)}) as stores:
        assert await one.facts.begin(stores, one.memory, []) == []
        assert await one.facts.follow(stores, ["default"]) == []
        assert await one.facts.follow(stores, ["default"]) == []
        await one.memory.create(PODS, POD, namespace="default")
        await one.memory.patch(NODES, "n1", {"spec": {"unschedulable": True}})
        await one.memory.delete(PODS, "p", namespace="default")
        await one.memory.delete(NODES, "n1")
        while len(one.events("p")) < 3 or len(one.events("n1")) < 3:  # noqa: ASYNC110 - a store is told by tasks
            await asyncio.sleep(0)
    assert [what for what, _ in one.events("n1")] == ["seen", "changed", "deleted"]
    seen, changed, _ = [fact for fact in one.written if fact["fact"] == "node"]
    assert seen["allocatable"] == {"nvidia.com/gpu": 8, "memory": 1024}
    assert (seen["labels"], seen["taints"]) == ({"rack": "r1"}, ["a=b:NoSchedule"])
    assert changed["unschedulable"]
    # It was there before the run began to look.
    assert (seen["late"], "late" in changed) == (True, False)
    assert one.events("p") == [("created", ""), ("gated", "kueue.x-k8s.io/admission"), ("deleted", "")]


async def test_what_is_not_seen_is_a_gap() -> None:
    one = Facts()
    listeners: list[Any] = []

    class Told:
        async def follow(self, *place: Any, **_: Any) -> None:
            listeners.append(place[-1])

    await one.facts.follow(Told(), ["default"])  # type: ignore[arg-type]
    for event in (SYNCED, interruption("the server went away"), SYNCED, SYNCED):
        listeners[0](event)
    assert one.written == [
        {"fact": "gap", "event": "began", "kind": "Pod", "namespace": "default", "reason": "the server went away"},
        {"fact": "gap", "event": "ended", "kind": "Pod", "namespace": "default"},
    ]


async def test_pods_that_may_not_be_read_are_no_reason_to_fail() -> None:
    one = Facts()

    class Denied:
        async def follow(self, *_: object, **__: object) -> None:
            raise Forbidden("may not list pods", status=403)

    assert await one.facts.follow(Denied(), ["default"]) == ["may not list pods"]  # type: ignore[arg-type]


def test_what_a_pod_requests() -> None:
    def container(**requested: str) -> dict[str, Any]:
        return {"name": "c", "resources": {"requests": requested}}

    spec = {
        "containers": [container(cpu="500m", memory="1Gi"), container(cpu="1"), {"name": "c"}],
        "initContainers": [container(cpu="2", memory="1Mi")],
    }
    assert requests(spec) == {"cpu": 2, "memory": 1 << 30}
    assert requests({}) == {}


QUEUES = """
- group: queues.x
  kind: Workload
  role: gang
  pods: {label: group}
  values: {minCount: /spec/min, queue: /spec/queue}
  moments: {admitted: {condition: Admitted}, done: {field: /status/phase, in: [Done]}}
- group: queues.x
  kind: Queue
  role: queue
  quota: {list: /spec/groups/*/resources/*, resource: name, amount: quota}
- {group: batch, kind: Job, role: owner, owns: pods}
- {group: batch, kind: CronJob, role: owner}
"""


def kinds() -> RecordedKinds:
    return RecordedKinds(kinds=read_recorded(yaml.safe_load(QUEUES)), pod_queues=(read_link({"annotation": "q"}),))


def test_how_long_a_pod_is_to_run() -> None:
    """As its annotation says, if that is a duration and the only thing that it says."""
    stage = "pod-complete.stage.kwok.x-k8s.io"
    assert asked_runtime({f"{stage}/delay": "1m30s"}) == 90
    assert asked_runtime({}) is None
    assert asked_runtime({f"{stage}/delay": "2026-11-29T12:00:00Z"}) is None
    assert asked_runtime({f"{stage}/delay": "2s", f"{stage}/jitter-delay": "4s"}) is None


def test_objects_that_queue_pods() -> None:
    one = Facts()
    workload, queue, *_ = kinds().kinds
    facts = ObjectFacts(one.write, workload)
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u", "controller": True}
    item: dict[str, Any] = {
        "metadata": {"name": "w", "namespace": "default", "uid": "1", "ownerReferences": [owner]},
        "spec": {"min": 3, "queue": "team"},
    }

    def now(change: Change = Change.MODIFIED, **parts: Any) -> None:
        facts.take(WatchEvent(change, {**item, **parts}), late=False)

    admitted = {"conditions": [{"type": "Admitted", "status": "True", "reason": "Admitted", "message": "yes"}]}
    now(Change.ADDED)
    now()
    now(status=admitted)
    now(status=admitted, spec={"min": 4})
    now(status={"phase": "Done"}, spec={"min": 4})
    now(Change.DELETED)
    told = [
        {key: fact[key] for key in ("event", "values", "moment", "holds", "reason") if key in fact}
        for fact in one.written
    ]
    assert told == [
        {"event": "created", "values": {"minCount": 3, "queue": "team"}},
        {"event": "moment", "moment": "admitted", "holds": True, "reason": "Admitted: yes"},
        {"event": "changed", "values": {"minCount": 4, "queue": None}},
        {"event": "moment", "moment": "admitted", "holds": False},
        {"event": "moment", "moment": "done", "holds": True, "reason": "Done"},
        {"event": "deleted"},
    ]
    assert (one.written[0]["ownerUid"], one.written[0]["role"], one.written[0]["kind"]) == (
        "u",
        "gang",
        "Workload.queues.x",
    )
    flavors = [
        {"resources": [{"name": "gpu", "quota": 8}, {"name": "cpu", "quota": "500m"}]},
        {"resources": [{"name": "gpu", "quota": "4"}]},
    ]
    ObjectFacts(one.write, queue).take(
        WatchEvent(Change.ADDED, {"metadata": {"name": "q", "uid": "2"}, "spec": {"groups": flavors}}), late=True
    )
    assert (one.written[-1]["quota"], one.written[-1]["late"]) == ({"gpu": 12, "cpu": 0.5}, True)


def test_pods_name_their_gang_and_queue() -> None:
    one = Facts(kinds())
    pod = {
        **POD,
        "metadata": {**POD["metadata"], "uid": "1", "labels": {"group": "w"}, "annotations": {"q": "team", "x": "y"}},
    }
    kept = one.facts.keep(pod, {"metadata": {"uid": "1", "name": "p", "namespace": "default"}})
    assert kept["metadata"]["annotations"] == {"q": "team"}
    PodFacts(one.write, kinds()).take(WatchEvent(Change.ADDED, kept), late=False)
    assert (one.written[0]["gangs"], one.written[0]["queue"]) == ({"Workload.queues.x": "w"}, "team")


def test_who_took_the_place_of_a_pod() -> None:
    one = Facts()
    pods = PodFacts(one.write, RecordedKinds())
    pods.take(WatchEvent(Change.ADDED, {**POD, "metadata": {**POD["metadata"], "uid": "1"}}), late=False)
    event = {
        "metadata": {"name": "e"},
        "reason": "Preempted",
        "involvedObject": {"uid": "1", "namespace": "default", "name": "p"},
        "related": {"namespace": "default", "name": "winner", "uid": "2"},
    }
    pods.take_event(WatchEvent(Change.ADDED, event))
    pods.take_event(WatchEvent(Change.MODIFIED, event))
    pods.take_event(WatchEvent(Change.ADDED, {**event, "involvedObject": {"uid": "stranger", "name": "x"}}))
    assert [fact["by"] for fact in one.written if fact["event"] == "preempted"] == ["default/winner"]


def test_owners_are_followed_only_if_something_may_own_them() -> None:
    def needed(*submitted: tuple[str, str]) -> list[str]:
        return [kind.kind for kind in kinds().needed(submitted)]

    assert needed(("batch", "Job"), ("", "ConfigMap"), ("queues.x", "Flavor")) == ["Workload", "Queue"]
    everything = ["Workload", "Queue", "Job", "CronJob"]
    assert needed(("batch", "Job"), ("sets.x", "JobSet")) == everything
    assert needed(("batch", "CronJob")) == everything


def test_every_record_says_what_the_schema_allows() -> None:
    """The kinds of Kubernetes are in a file of their own, which no check of records reads."""
    text = KUBERNETES.read_text()
    component = json.loads(resources.schema("component").read_text())
    part = {"$ref": "#/$defs/recorded", "$defs": component["$defs"]}
    Draft202012Validator(part).validate(yaml.safe_load(text))
