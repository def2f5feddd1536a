"""What the watch tells of pods and nodes, as facts for a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from knavtool.documents import quantity
from knavtool.errors import ClusterError
from knavtool.kube.gateway import Change
from knavtool.kube.resource import NODES, PODS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from knavtool.kube.gateway import WatchEvent
    from knavtool.kube.resource import Manifest, Resource
    from knavtool.kube.store import Stores

    Write = Callable[..., None]

_CONDITIONS = {
    ("PodScheduled", "False"): "unschedulable",
    ("Ready", "True"): "ready",
    ("Ready", "False"): "unready",
    ("DisruptionTarget", "True"): "disrupted",
}
_ENDED = {"Succeeded": "succeeded", "Failed": "failed"}


class ClusterFacts:
    """Follows pods, and with `nodes` the nodes too, through the stores of a run, and writes what changes.

    A pod has been `created`, `gated`, `unschedulable` (with the scheduler's words), `nominated`, `bound`, `running`,
    `ready`, `succeeded` or `failed`, `disrupted` (evicted or preempted, with the reason), `deleting`, `deleted`. What a
    watch cannot tell, because it was interrupted, is a gap from its first to its last moment.
    """

    def __init__(self, write: Write, *, nodes: bool = False) -> None:
        self._write = write
        self._nodes = nodes
        self._followed: set[tuple[Resource, str | None]] = set()
        self._pods: dict[str, dict[str, str]] = {}
        self._nodes_seen: dict[str, dict[str, Any]] = {}
        self._gaps: set[tuple[str, str]] = set()

    async def follow(self, stores: Stores, namespaces: Iterable[str | None] = ()) -> list[str]:
        """Follow the pods of these namespaces, and the nodes, from now on; costs one list and watch each.

        Returns why some cannot be followed: the recording has a gap then, which never ends.
        """
        wanted = [(PODS, namespace, self._pod) for namespace in namespaces]
        wanted += [(NODES, None, self._node)] if self._nodes else []
        missing = []
        for resource, namespace, take in wanted:
            if (resource, namespace) not in self._followed:
                self._followed.add((resource, namespace))
                try:
                    await self._follow(stores, resource, namespace, take)
                except ClusterError as error:
                    missing.append(error.message)
        return missing

    async def _follow(
        self, stores: Stores, resource: Resource, namespace: str | None, take: Callable[[WatchEvent], None]
    ) -> None:
        where = (resource.kind, namespace or "")

        def listen(event: WatchEvent) -> None:
            if event.interrupted:
                self._gaps.add(where)
                self._write(fact="gap", event="began", kind=where[0], namespace=where[1], reason=event.interrupted)
            elif event.synced:
                if where in self._gaps:
                    self._gaps.remove(where)
                    self._write(fact="gap", event="ended", kind=where[0], namespace=where[1])
            else:
                take(event)

        await stores.follow(resource, namespace, listen)

    def _pod(self, event: WatchEvent) -> None:
        pod = event.object
        metadata = pod["metadata"]
        uid = metadata["uid"]
        about = {"uid": uid, "namespace": metadata.get("namespace", ""), "name": metadata["name"]}
        if event.change is Change.DELETED:
            if self._pods.pop(uid, None) is not None:
                self._write(fact="pod", event="deleted", **about)
            return
        state = pod_state(pod)
        before = self._pods.get(uid)
        if before is None:
            self._write(fact="pod", event="created", **about, **created(pod))
        for what, detail in state.items():
            if (before or {}).get(what) != detail:
                key = "node" if what in ("bound", "nominated") else "reason"
                self._write(fact="pod", event=what, **about, **{key: detail})
        self._pods[uid] = state

    def _node(self, event: WatchEvent) -> None:
        node = event.object
        name = node["metadata"]["name"]
        if event.change is Change.DELETED:
            self._nodes_seen.pop(name, None)
            self._write(fact="node", event="deleted", name=name)
            return
        facts = node_facts(node)
        before = self._nodes_seen.get(name)
        if before != facts:
            self._write(fact="node", event="seen" if before is None else "changed", name=name, **facts)
        self._nodes_seen[name] = facts


def created(pod: Manifest) -> dict[str, Any]:
    """What a pod is from its beginning; `requests` are numbers of cores, bytes and devices."""
    metadata, spec = pod["metadata"], pod.get("spec", {})
    owner: Mapping[str, str] = next((one for one in metadata.get("ownerReferences", ()) if one.get("controller")), {})
    return {
        "created": metadata.get("creationTimestamp"),
        "ownerKind": owner.get("kind"),
        "owner": owner.get("name"),
        "ownerUid": owner.get("uid"),
        "scheduler": spec.get("schedulerName"),
        "priority": spec.get("priority"),
        "labels": metadata.get("labels"),
        "requests": requests(spec),
    }


def requests(spec: Mapping[str, Any]) -> dict[str, float]:
    """What the scheduler counts for a pod: the sum of its containers, or the largest init container if that is more."""
    total: dict[str, float] = {}
    for container in spec.get("containers", ()):
        for name, amount in _amounts(container).items():
            total[name] = total.get(name, 0) + amount
    for container in spec.get("initContainers", ()):
        for name, amount in _amounts(container).items():
            total[name] = max(total.get(name, 0), amount)
    return total


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
        state["running"] = _words(status)
    for condition in status.get("conditions", ()):
        event = _CONDITIONS.get((condition["type"], condition["status"]))
        if event is not None and not (event == "unready" and not node):
            state[event] = _words(condition) if event != "ready" else ""
    if phase in _ENDED:
        state[_ENDED[phase]] = _words(status)
    if "deletionTimestamp" in pod["metadata"]:
        state["deleting"] = ""
    return state


def node_facts(node: Manifest) -> dict[str, Any]:
    """What a scheduler sees of a node."""
    metadata, spec, status = node["metadata"], node.get("spec", {}), node.get("status", {})
    ready = next((one["status"] for one in status.get("conditions", ()) if one["type"] == "Ready"), "Unknown")
    return {
        "allocatable": {name: _number(text) for name, text in (status.get("allocatable") or {}).items()},
        "labels": metadata.get("labels"),
        "taints": [f"{one['key']}={one.get('value', '')}:{one['effect']}" for one in spec.get("taints", ())],
        "unschedulable": spec.get("unschedulable"),
        "ready": ready == "True",
    }


def recorded(pod: Manifest, kept: Manifest) -> Manifest:
    """What is `kept` of a pod, with the parts that facts are made of."""
    metadata, spec, status = pod["metadata"], pod.get("spec", {}), pod.get("status", {})
    resources = ("name", "resources")
    parts = {
        "metadata": {key: metadata[key] for key in ("creationTimestamp", "labels") if key in metadata},
        "spec": {key: spec[key] for key in ("priority",) if key in spec},
        "status": {"conditions": [one for one in status.get("conditions", ()) if _is_recorded(one)]},
    }
    for name in ("containers", "initContainers"):
        if name in spec:
            parts["spec"][name] = [{key: one[key] for key in resources if key in one} for one in spec[name]]
    if "nominatedNodeName" in status:
        parts["status"]["nominatedNodeName"] = status["nominatedNodeName"]
    return {part: {**kept.get(part, {}), **parts.get(part, {})} for part in {**kept, **parts}}


def _words(given: Mapping[str, Any]) -> str:
    """Reason and message of a status or condition."""
    return ": ".join(filter(None, (given.get("reason"), given.get("message"))))


def _is_recorded(condition: Mapping[str, str]) -> bool:
    return any(condition["type"] == kind for kind, _ in _CONDITIONS)


def _amounts(container: Mapping[str, Any]) -> dict[str, float]:
    resources = container.get("resources") or {}
    # A request that is not given is the limit.
    texts = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: _number(text) for name, text in texts.items()}


def _number(text: object) -> float:
    try:
        exact = quantity.parse(str(text))
    except ValueError:
        return 0.0
    return int(exact) if exact.denominator == 1 else float(exact)
