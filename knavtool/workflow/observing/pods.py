"""One consistent look at pods: how many are as expected, and why the others are not."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from knavtool.workflow.wording import some

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from knavtool.kube.resource import Manifest
    from knavtool.workflow.references.amounts import Amount

_ENDED = ("Succeeded", "Failed")
_LATER = {"Pending": ("Running", *_ENDED), "Running": _ENDED}
_GROUPS_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """`count` pods in a phase (empty: any), each bound to a node that has the labels."""

    count: Amount
    status: str = ""
    node_labels: Mapping[str, str] = field(default_factory=dict)

    def words(self) -> str:
        """`Running on nodes with a=b`."""
        labels = ",".join(f"{key}={value}" for key, value in self.node_labels.items())
        return " ".join(filter(None, (self.status, f"on nodes with {labels}" if labels else "")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """The pods of one moment.

    Expected are `count` pods in the phase, all of them on nodes with the labels. Pods that are being deleted
    and have not ended count for nothing; they are about to go. `phases` has how many pods are in each phase,
    `Terminating` for those that are being deleted; `nodes` is how many different nodes they are on. `pods` is empty
    when the expectation is met: nobody asks for them then, and to gather thousands takes longer than to detect it.
    """

    expected: Expectation
    phases: Mapping[str, int]
    nodes: int
    pods: list[Manifest]
    in_phase: int
    misplaced: list[tuple[Manifest, str]]

    @property
    def matching(self) -> int:
        """Pods that are as expected."""
        return self.in_phase - len(self.misplaced)

    @property
    def satisfied(self) -> bool:
        """Whether the expectation is met at this moment."""
        return self.in_phase in self.expected.count and not self.misplaced

    def counts(self) -> str:
        """`3 of 4 pods are Running`, `3 pods are Running, expected 2 to 4`."""
        words, count = self.expected.words(), self.expected.count
        if count.exact:
            return f"{self.matching} of {count} pods are {words}"
        return f"{self.matching} pods are {words}, expected {count}"

    def phase_text(self) -> str:
        """`3 Running, 1 Pending`."""
        return _phase_text(self.phases) or "no pods"

    def data(self) -> dict[str, object]:
        """For machines."""
        return {
            "expected": self.expected.count.data(),
            "matching": self.matching,
            "phases": dict(self.phases),
            "nodes": self.nodes,
        }

    def wrong(self) -> list[Manifest]:
        """The pods that are not as expected."""
        misplaced = [pod for pod, _ in self.misplaced]
        status = self.expected.status
        return misplaced + [pod for pod in self.pods if status and phase_of(pod) != status]

    def problems(self) -> Iterator[str]:
        """Why the expectation is not met, pods with the same reason in one line."""
        status, count = self.expected.status, self.expected.count
        if count.most is not None and self.in_phase > count.most:
            yield f"{self.in_phase - count.most} more than expected"
        if gone_on := {phase: n for phase, n in self.phases.items() if phase in _LATER.get(status, ())}:
            passed = ", ".join(f"{number} to {phase}" for phase, number in gone_on.items())
            yield f"pods that have already passed {status}: {passed}"
        if len(self.pods) < count.least:
            yield f"{count.least - len(self.pods)} of {count} pods do not exist"
        groups: dict[str, list[str]] = {}
        for pod, reason in self.misplaced:
            groups.setdefault(reason, []).append(_name(pod))
        for pod in self.pods:
            phase = phase_of(pod)
            if status and phase != status:
                reason = why(pod)
                groups.setdefault(f"{phase}: {reason}" if reason else phase, []).append(_name(pod))
        for reason, names in list(groups.items())[:_GROUPS_SHOWN]:
            yield f"{some(names)}: {reason}"
        if len(groups) > _GROUPS_SHOWN:
            yield f"and {len(groups) - _GROUPS_SHOWN} more reasons"


class Tally:
    """Keeps count of pods while they change; a change costs the same whatever their number."""

    def __init__(self, expected: Expectation, belongs: Callable[[Manifest], bool]) -> None:
        self._expected = expected
        self._belongs = belongs
        self._nodes: Mapping[str, Mapping[str, str]] = {}
        self._pods: dict[str, Manifest] = {}
        self._in_phase: set[str] = set()
        self._misplaced: dict[str, str] = {}
        self._phases: dict[str, str] = {}
        self._per_phase: Counter[str] = Counter()
        self._per_node: Counter[str] = Counter()
        self.unknown_nodes: set[str] = set()

    @property
    def satisfied(self) -> bool:
        """Whether the expectation is met at this moment."""
        return len(self._in_phase) in self._expected.count and not self._misplaced

    @property
    def matching(self) -> int:
        """Pods that are as expected."""
        return len(self._in_phase) - len(self._misplaced)

    def put(self, pod: Manifest) -> None:
        """A pod, or its essential parts, is new or has changed."""
        uid = pod["metadata"]["uid"]
        self.drop(uid)
        self._pods[uid] = pod
        if not self._belongs(pod):
            return
        phase = phase_of(pod)
        self._phases[uid] = phase
        self._per_phase[phase] += 1
        node = _node(pod)
        if node:
            self._per_node[node] += 1
        if not _counts(pod, self._expected.status):
            return
        self._in_phase.add(uid)
        if not self._expected.node_labels:
            return
        if node and node not in self._nodes:
            self.unknown_nodes.add(node)
        if fault := _misplaced(pod, self._expected.node_labels, self._nodes):
            self._misplaced[uid] = fault

    def drop(self, uid: str) -> None:
        """A pod is gone."""
        pod = self._pods.pop(uid, None)
        self._in_phase.discard(uid)
        self._misplaced.pop(uid, None)
        if pod is not None and (phase := self._phases.pop(uid, None)) is not None:
            _less(self._per_phase, phase)
            _less(self._per_node, _node(pod))

    def phase_text(self) -> str:
        """`3 Running, 1 Pending`, without looking at the pods again."""
        return _phase_text(dict(self._per_phase.most_common()))

    def recount(self, nodes: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """Count all pods again, because more is known about the labels of nodes or about which pods belong."""
        if nodes is not None:
            # A node that is gone again has no labels; asking for it once more would not help.
            self._nodes = {node: {} for node in self.unknown_nodes} | dict(nodes)
            self.unknown_nodes.clear()
        for pod in list(self._pods.values()):
            self.put(pod)

    def census(self) -> Census:
        """The state of this moment in full."""
        return Census(
            expected=self._expected,
            phases=dict(self._per_phase.most_common()),
            nodes=len(self._per_node),
            pods=[] if self.satisfied else [pod for pod in self._pods.values() if self._belongs(pod)],
            in_phase=len(self._in_phase),
            misplaced=[(self._pods[uid], fault) for uid, fault in self._misplaced.items()],
        )


def essential(pod: Manifest, *, labels: Collection[str] = ()) -> Manifest:
    """The parts of a pod that are looked at here, a tenth of it: tens of thousands may be followed."""
    wanted = {
        "metadata": ("name", "namespace", "uid", "ownerReferences", "deletionTimestamp"),
        "spec": ("nodeName", "schedulerName", "schedulingGates"),
        "status": ("phase", "reason", "message", "initContainerStatuses", "containerStatuses"),
    }
    kept: Manifest = {}
    for part, keys in wanted.items():
        given = pod.get(part, {})
        kept[part] = {key: given[key] for key in keys if key in given}
    conditions = pod.get("status", {}).get("conditions", ())
    kept["status"]["conditions"] = [condition for condition in conditions if condition["type"] == "PodScheduled"]
    if labels:
        kept["metadata"]["labels"] = {
            key: value for key, value in pod["metadata"].get("labels", {}).items() if key in labels
        }
    return kept


def phase_of(pod: Manifest) -> str:
    """The pod's phase, or `Terminating` for one that is being deleted and has not ended."""
    phase = str(pod.get("status", {}).get("phase", "Pending"))
    return "Terminating" if "deletionTimestamp" in pod["metadata"] and phase not in _ENDED else phase


def why(pod: Manifest) -> str:
    """What keeps a pod from running, or ended it: the scheduler's words, or those of its containers."""
    status, spec = pod.get("status", {}), pod.get("spec", {})
    if gates := ", ".join(gate["name"] for gate in spec.get("schedulingGates") or ()):
        # The API server's own words for it name no gate.
        return f"held back by its scheduling gates: {gates}"
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return _joined(condition)
    if status.get("phase") == "Pending" and not spec.get("nodeName"):
        return f"no scheduler has looked at it (schedulerName {spec.get('schedulerName', 'default-scheduler')})"
    for name in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(name, ()):
            state = container.get("state", {})
            ended = state.get("terminated")
            if ended and ended.get("exitCode"):
                return f"container {container['name']} ended with exit code {ended['exitCode']}: {_joined(ended)}"
            if "waiting" in state and (text := _joined(state["waiting"])):
                return f"container {container['name']} waits: {text}"
    return _joined(status)


def _joined(given: Mapping[str, Any]) -> str:
    return ": ".join(filter(None, (given.get("reason"), given.get("message"))))


def _node(pod: Manifest) -> str:
    return str(pod.get("spec", {}).get("nodeName") or "")


def _less(counts: Counter[str], key: str) -> None:
    counts[key] -= 1
    if counts[key] <= 0:
        del counts[key]


def _phase_text(phases: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {phase}" for phase, count in phases.items())


def _counts(pod: Manifest, status: str) -> bool:
    phase = phase_of(pod)
    return phase == status if status else phase != "Terminating"


def _misplaced(pod: Manifest, wanted: Mapping[str, str], nodes: Mapping[str, Mapping[str, str]]) -> str:
    node = pod.get("spec", {}).get("nodeName")
    if not node:
        return "is on no node" + (f": {reason}" if (reason := why(pod)) else "")
    labels = nodes.get(node, {})
    faults = [
        f"label {key}: expected {json.dumps(value)}, actual {json.dumps(labels[key]) if key in labels else 'absent'}"
        for key, value in wanted.items()
        if labels.get(key) != value
    ]
    return f"on node {node}: {', '.join(faults)}" if faults else ""


def _name(pod: Manifest) -> str:
    metadata = pod["metadata"]
    return f"{metadata.get('namespace', '')}/{metadata['name']}".lstrip("/")
