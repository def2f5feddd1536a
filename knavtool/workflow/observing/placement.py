"""How the pods of gangs should be placed, and what of that is not so. Nothing is asked of a cluster here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from knavtool.workflow.observing.pod_log import partial_times
from knavtool.workflow.observing.pods import why

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from knavtool.workflow.observing.domains import Topology
    from knavtool.workflow.observing.gangs import Gang
    from knavtool.workflow.observing.pod_log import PodTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementRules:
    """`within` is the longest time in seconds from the first bound pod of a gang to its last, None if it may be any.

    `topology` and `nodes` say where the pods are; None and () if that may be anywhere.
    """

    within: float | None
    topology: Topology | None
    nodes: Sequence[str]

    def faults(self, gangs: Sequence[Gang], labels: Mapping[str, Mapping[str, str]], now: float) -> Iterator[str]:
        """What is not as expected of gangs whose pods have nodes; `labels` are those of each node."""
        for gang in gangs:
            yield from self._partial(gang, now)
        if self.topology is not None:
            yield from self.topology.faults(gangs, labels)
        actual = {times.node for gang in gangs for times in gang.placed}
        if self.nodes and actual != set(self.nodes):
            yield f"nodes: expected {', '.join(sorted(self.nodes))}, actual {', '.join(sorted(actual)) or 'none'}"

    def _partial(self, gang: Gang, now: float) -> Iterator[str]:
        if self.within is None:
            return
        for partial in partial_times(gang.pods, gang.size, now=now):
            if partial.seconds > self.within:
                yield (
                    f"{gang.title}: was bound in part for {partial.seconds:.3g} s, at most {partial.most} of "
                    f"{gang.size} pods; expected all within {self.within:g} s"
                )


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A line for each gang that has not as many placed pods as it should, and the pods without a node by reason."""

    gangs: list[str] = field(default_factory=list)
    reasons: dict[str, list[str]] = field(default_factory=dict)
    pods: list[PodTimes] = field(default_factory=list)

    @classmethod
    def among(cls, gangs: Sequence[Gang]) -> Unplaced:
        """What of these gangs has no place, or too many."""
        found = cls()
        for gang in gangs:
            if gang.refused or len(gang.placed) < gang.size:
                refused = f"; it was not created: {gang.refused}" if gang.refused else ""
                found.gangs.append(f"{gang.title}: {len(gang.placed)} of {gang.size} pods have a node{refused}")
            elif gang.surplus:
                found.gangs.append(f"{gang.title}: {gang.surplus} more pods have a node than expected: {gang.amount}")
            for times in gang.pods:
                if times.bound is None:
                    found.pods.append(times)
                    found.reasons.setdefault(why(times.pod) or "no reason is known", []).append(pod_name(times))
        return found


def pod_name(times: PodTimes) -> str:
    """`namespace/name`."""
    metadata = times.pod["metadata"]
    return f"{metadata.get('namespace', '')}/{metadata['name']}"
