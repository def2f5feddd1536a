"""What can be said of a cluster at this moment, counted from facts as they come: for views of a run that goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from knavtool.measure.resources import amounts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEPT = 60
"""Samples that a pulse remembers."""
_LEFT = frozenset({"succeeded", "failed", "deleted"})


@dataclass(frozen=True, slots=True)
class Beat:
    """One sample: GPUs of bound pods, GPUs that Ready nodes have, pods without a node, pods bound per second."""

    allocated: float
    allocatable: float
    pending: int
    rate: float

    @property
    def occupancy(self) -> float | None:
        """The share of GPUs that is allocated; None if there are none."""
        return self.allocated / self.allocatable if self.allocatable > 0 else None


class Pulse:
    """Counts pods and GPUs; a fact costs a microsecond, and what is remembered is the pods and nodes that are there.

    One thread feeds it while another draws, so `beats` is a tuple that is replaced and never changed.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sampled = clock()
        # GPUs of a pod, and whether it has a node.
        self._pods: dict[str, tuple[float, bool]] = {}
        self._nodes: dict[str, float] = {}
        self._allocated = self._allocatable = 0.0
        self._pending = self._bound = 0
        self.beats: tuple[Beat, ...] = ()

    def take(self, fact: Mapping[str, Any]) -> None:
        """Take in a fact; those of other things than pods and nodes change nothing."""
        if fact["fact"] == "pod":
            self._pod(fact["uid"], fact)
        elif fact["fact"] == "node":
            self._node(fact["name"], fact)

    def sample(self) -> None:
        """Remember how things stand; to be called about once per second."""
        now = self._clock()
        rate = self._bound / (now - self._sampled) if now > self._sampled else 0.0
        self._sampled, self._bound = now, 0
        beat = Beat(self._allocated, self._allocatable, self._pending, rate)
        self.beats = (*self.beats, beat)[-KEPT:]

    def _pod(self, uid: str, fact: Mapping[str, Any]) -> None:
        event = fact["event"]
        if event == "created":
            if uid not in self._pods:
                self._pods[uid] = (amounts(fact.get("requests") or {})[0], False)
                self._pending += 1
            return
        if uid not in self._pods:
            return
        gpus, bound = self._pods[uid]
        if event == "bound" and not bound:
            self._pods[uid] = (gpus, True)
            self._pending -= 1
            self._allocated += gpus
            # Nobody knows when a pod was bound that was there before it could be seen.
            self._bound += not fact.get("late")
        elif event in _LEFT:
            del self._pods[uid]
            if bound:
                self._allocated -= gpus
            else:
                self._pending -= 1

    def _node(self, name: str, fact: Mapping[str, Any]) -> None:
        has = amounts(fact.get("allocatable") or {})[0] if fact["event"] != "deleted" and fact.get("ready") else 0.0
        self._allocatable += has - self._nodes.pop(name, 0.0)
        if has:
            self._nodes[name] = has
