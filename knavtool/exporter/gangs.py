"""How long gangs wait, from what happens to their pods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from knavtool.exporter.groups import GangKey

QUIET = 10.0
"""Seconds without a new or newly bound pod after which a gang is taken to be complete."""


@dataclass(slots=True)
class _Gang:
    """`first` is when its first pod came, None if nobody saw that; `lost` are pods that went away without a node.

    `last` is when a pod was bound last.
    """

    first: float | None
    changed: float
    pods: int = 0
    waiting: int = 0
    lost: int = 0
    last: float | None = None
    measured: bool = False


class Gangs:
    """Tells `observe` the wait of each gang once: seconds from the creation of its first pod to its completion.

    It is complete when as many pods have a node as its group says. Without a group that says so it needs all of its
    pods, and pods do not tell how many there will be: it is complete when none of them waits and nothing has happened
    for `quiet` seconds, or when all of them are gone and none of these went without a node. Pods that come after that,
    as those of a retry, change nothing. Moments are seconds of any clock that does not jump.
    """

    def __init__(self, observe: Callable[[float], None], *, quiet: float = QUIET) -> None:
        self._observe = observe
        self._quiet = quiet
        self._gangs: dict[GangKey, _Gang] = {}
        self._least: dict[GangKey, int] = {}

    def need(self, key: GangKey, least: int | None) -> None:
        """What the group of a gang says: how many pods have to be bound together; None if it does not or is gone."""
        if least is None:
            self._least.pop(key, None)
        else:
            self._least[key] = least
            self._look(key)

    def came(self, key: GangKey, now: float, *, bound: bool, late: bool) -> None:
        """A pod is there. If it is the first one and `late`, it was made before anybody looked: no wait is known."""
        gang = self._gangs.get(key)
        if gang is None:
            gang = self._gangs[key] = _Gang(first=None if late else now, changed=now)
        gang.pods += 1
        gang.changed = now
        if bound:
            gang.last = now
            self._look(key)
        else:
            gang.waiting += 1

    def bound(self, key: GangKey, now: float) -> None:
        """A pod that waited has a node."""
        gang = self._gangs[key]
        gang.waiting -= 1
        gang.last = gang.changed = now
        self._look(key)

    def went(self, key: GangKey, now: float, *, waiting: bool) -> None:
        """A pod is gone; `waiting` says that it never had a node."""
        gang = self._gangs[key]
        gang.pods -= 1
        if waiting:
            gang.waiting -= 1
            gang.lost += 1
            gang.changed = now
        if not gang.pods:
            if not gang.lost and key not in self._least:
                self._measure(gang)
            del self._gangs[key]

    def interrupted(self) -> None:
        """From now on nobody sees when pods are bound: the waits of gangs that are not complete stay unknown."""
        for gang in self._gangs.values():
            gang.first = gang.first if gang.measured else None

    def settle(self, now: float) -> None:
        """Measure the gangs that are complete by now; costs a look at each gang."""
        for key, gang in self._gangs.items():
            quiet = not gang.waiting and now - gang.changed >= self._quiet
            if quiet and not gang.measured and key not in self._least:
                self._measure(gang)

    def _look(self, key: GangKey) -> None:
        """Measure a gang of which enough pods have a node."""
        gang, least = self._gangs.get(key), self._least.get(key)
        if gang is not None and least is not None and gang.pods - gang.waiting >= least:
            self._measure(gang)

    def _measure(self, gang: _Gang) -> None:
        if not gang.measured and gang.first is not None and gang.last is not None:
            self._observe(gang.last - gang.first)
        gang.measured = True
