"""What a watch tells of pods, as facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.documents.duration import parse_duration
from knavtool.errors import UsageError
from knavtool.kube.gateway import Change
from knavtool.recording.amounts import requests
from knavtool.recording.kinds import name_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from knavtool.kube.gateway import WatchEvent
    from knavtool.kube.resource import Manifest
    from knavtool.recording.kinds import RecordedKinds

    Write = Callable[..., None]

_CONDITIONS = {
    ("PodScheduled", "False"): "unschedulable",
    ("Ready", "True"): "ready",
    ("Ready", "False"): "unready",
    ("DisruptionTarget", "True"): "disrupted",
}
_KEPT = frozenset(kind for kind, _ in _CONDITIONS)
_ENDED = {"Succeeded": "succeeded", "Failed": "failed"}
_PREEMPTED = "Preempted"
_STAGE = "pod-complete.stage.kwok.x-k8s.io"
_RUNTIME = f"{_STAGE}/delay"
"""How long a pod of a virtual node is to run."""
_JITTER = f"{_STAGE}/jitter-delay"
"""Leaves that open."""


class PodFacts:
    """Writes what becomes of pods.

    A pod has been `created`, `gated`, `unschedulable` (with the scheduler's words), `nominated`, `bound`, `running`,
    `ready`, `unready`, `succeeded` or `failed`, `disrupted` (evicted or preempted, with the reason), `preempted` (by
    whom), `deleting`, `deleted`.
    """

    def __init__(self, write: Write, kinds: RecordedKinds) -> None:
        self._write = write
        self._kinds = kinds
        self._pods: dict[str, dict[str, str]] = {}
        self._preempted: set[str] = set()

    def take(self, event: WatchEvent, *, late: bool) -> None:
        """Take in a change; `late` if it is one of what was there before it could be seen."""
        pod = event.object
        metadata = pod["metadata"]
        uid = metadata["uid"]
        about: dict[str, Any] = {"uid": uid, "namespace": metadata.get("namespace", ""), "name": metadata["name"]}
        if late:
            about["late"] = True
        if event.change is Change.DELETED:
            if self._pods.pop(uid, None) is not None:
                self._write(fact="pod", event="deleted", **about)
            return
        state = pod_state(pod)
        before = self._pods.get(uid)
        if before is None:
            self._write(fact="pod", event="created", **about, **self._created(pod))
        for what, detail in state.items():
            if (before or {}).get(what) != detail:
                key = "node" if what in ("bound", "nominated") else "reason"
                self._write(fact="pod", event=what, **about, **{key: detail})
        self._pods[uid] = state

    def take_event(self, event: WatchEvent) -> None:
        """Take in an Event of Kubernetes that says who took a pod's place."""
        given = event.object
        victim, by = given.get("involvedObject") or {}, given.get("related") or {}
        uid = victim.get("uid", "")
        name = "/".join(filter(None, (by.get("namespace"), by.get("name")))) or by.get("uid", "")
        if event.change is Change.DELETED or given.get("reason") != _PREEMPTED or uid in self._preempted or not name:
            return
        self._preempted.add(uid)
        about = {"uid": uid, "namespace": victim.get("namespace", ""), "name": victim.get("name", "")}
        if uid in self._pods:
            self._write(fact="pod", event="preempted", **about, by=name, reason=given.get("message", ""))

    def _created(self, pod: Manifest) -> dict[str, Any]:
        """What a pod is from its beginning; `requests` are numbers of cores, bytes and devices."""
        metadata, spec = pod["metadata"], pod.get("spec", {})
        references = metadata.get("ownerReferences", ())
        owner: Mapping[str, str] = next((one for one in references if one.get("controller")), {})
        gangs = {kind: name for kind, link in self._kinds.links if (name := name_in(pod, link))}
        queue = next((name for link in self._kinds.pod_queues if (name := name_in(pod, link))), "")
        return {
            "created": metadata.get("creationTimestamp"),
            "ownerKind": owner.get("kind"),
            "owner": owner.get("name"),
            "ownerUid": owner.get("uid"),
            "scheduler": spec.get("schedulerName"),
            "priority": spec.get("priority"),
            "labels": metadata.get("labels"),
            "requests": requests(spec),
            "asked": asked_runtime(metadata.get("annotations") or {}),
            "gangs": gangs,
            "queue": queue,
        }


def asked_runtime(annotations: Mapping[str, str]) -> float | None:
    """The seconds that a pod's annotations let it run on a virtual node; None if they do not say, or leave it open."""
    if _RUNTIME not in annotations or _JITTER in annotations:
        return None
    try:
        return parse_duration(annotations[_RUNTIME])
    except UsageError:
        return None  # the moment at which it ends


def pod_state(pod: Manifest) -> dict[str, str]:
    """What is true of a pod now, with the node or reason; a fact is written when one of them comes or changes."""
    spec, status = pod.get("spec", {}), pod.get("status", {})
    state: dict[str, str] = {}
    if gates := spec.get("schedulingGates"):
        state["gated"] = ", ".join(gate["name"] for gate in gates)
    if nominated := status.get("nominatedNodeName"):
        state["nominated"] = nominated
    if node := spec.get("nodeName"):
        state["bound"] = node
    phase = status.get("phase")
    if phase == "Running":
        state["running"] = words(status)
    for condition in status.get("conditions", ()):
        event = _CONDITIONS.get((condition["type"], condition["status"]))
        if event is not None and not (event == "unready" and not node):
            state[event] = words(condition) if event != "ready" else ""
    if phase in _ENDED:
        state[_ENDED[phase]] = words(status)
    if "deletionTimestamp" in pod["metadata"]:
        state["deleting"] = ""
    return state


def recorded(pod: Manifest, kept: Manifest, kinds: RecordedKinds) -> Manifest:
    """What is `kept` of a pod, with the parts that facts are made of."""
    metadata, spec, status = pod["metadata"], pod.get("spec", {}), pod.get("status", {})
    resources = ("name", "resources")
    links = [*(link for _, link in kinds.links), *kinds.pod_queues]
    annotations = metadata.get("annotations") or {}
    names = {*(link.annotation for link in links), _RUNTIME, _JITTER}
    named = {name: annotations[name] for name in names if name in annotations}
    parts = {
        "metadata": {key: metadata[key] for key in ("creationTimestamp", "labels") if key in metadata},
        "spec": {key: spec[key] for key in ("priority",) if key in spec},
        "status": {"conditions": [one for one in status.get("conditions", ()) if one["type"] in _KEPT]},
    }
    if named:
        parts["metadata"]["annotations"] = named
    for link in links:
        # Of a field the whole branch is kept.
        if len(link.field) > 1 and link.field[0] == "spec" and link.field[1] in spec:
            parts["spec"][link.field[1]] = spec[link.field[1]]
    for name in ("containers", "initContainers"):
        if name in spec:
            parts["spec"][name] = [{key: one[key] for key in resources if key in one} for one in spec[name]]
    if "nominatedNodeName" in status:
        parts["status"]["nominatedNodeName"] = status["nominatedNodeName"]
    return {part: {**kept.get(part, {}), **parts.get(part, {})} for part in {**kept, **parts}}


def words(given: Mapping[str, Any]) -> str:
    """Reason and message of a status or condition."""
    return ": ".join(filter(None, (given.get("reason"), given.get("message"))))
