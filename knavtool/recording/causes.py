"""Which request caused what the watch told of a pod."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_ERROR = 0.005
"""By how many seconds two clocks of one machine may differ, as they are read one after the other."""
_ONE_EVENT = 0.001
"""Facts of a pod that are told within so many seconds may be those of one event of the watch."""
RECENT = 5.0
"""Seconds that a watch is late at most, if nothing else is known."""
EXACT = frozenset({"created", "bound"})
"""Facts that only one request can have caused."""

# What a status tells, by the order in which the facts of one event are written.
_STATUS = {"nominated": 0, "running": 1, "succeeded": 3, "failed": 3}
_STATUS |= dict.fromkeys(("unschedulable", "ready", "unready", "disrupted"), 2)
# What cannot be true of a pod at the same time.
_EXCLUSIVE = (frozenset({"running", "succeeded", "failed"}), frozenset({"ready", "unready"}))


@dataclass(frozen=True, slots=True)
class Write:
    """A request that changed a pod; `at` and `received` are its end and beginning by the recording's clock."""

    at: float
    received: float
    verb: str
    resource: str
    uid: str


class Life:
    """What is known of one pod: the last request that was found, and what the last event of its watch told.

    A watch tells the writes of an object in their order, one event each. So what could have caused a fact is the first
    request of its kind after the last one that was found, if it is recent: some change nothing that is recorded. An
    event can be told before the request that caused it has been answered, but not before it was received.
    """

    __slots__ = ("_at", "_cause", "_found", "_seen", "_told", "uid")

    def __init__(self, uid: str) -> None:
        self.uid = uid
        self._at = 0.0
        self._found: Write | None = None
        # The last event: when it was told, what of it, and its cause.
        self._seen = float("-inf")
        self._told: list[str] = []
        self._cause: Write | None = None

    def cause(self, event: str, seen: float, writes: Iterable[Write], recent: float = RECENT) -> Write | None:
        """The request that caused this fact, None if it has not come (yet); `recent` is how late the watch may be."""
        if event == "created":
            # Also one at an impossible moment, which tells that the clocks differ.
            return next((one for one in writes if one.uid == self.uid and _creates(one)), None)
        if self._of_one_event(event, seen):
            return self._cause
        possible = [one for one in writes if self._later(one) and one.received <= seen + _ERROR]
        for kind in _kinds(event):
            if found := [one for one in possible if kind(one)]:
                if event == "deleted":
                    return found[-1]
                return next((one for one in found if one.at >= seen - recent), found[-1])
        return None

    def note(self, event: str, seen: float, cause: Write | None) -> float:
        """Remember a fact that is written now; returns its moment."""
        self._told = [*self._told, event] if self._of_one_event(event, seen) else [event]
        self._seen, self._cause = seen, cause
        if cause is None:
            self._at = max(self._at, seen)
            return seen
        if self._later(cause):
            self._found = cause
        # An answer can be later than the event, and than what another client did because of it.
        self._at = max(min(cause.at, seen), self._at)
        return self._at

    def _later(self, one: Write) -> bool:
        """Whether it may have come after the last request that was found."""
        return self._found is None or (one is not self._found and one.received >= self._found.received)

    def _of_one_event(self, event: str, seen: float) -> bool:
        """Whether this fact is told by the same event as the one before it, as far as can be seen."""
        told = self._told
        if not told or seen - self._seen > _ONE_EVENT:
            return False
        if event == "gated":
            return told == ["created"]
        if event not in _STATUS or told[-1] not in _STATUS or event in told:
            return False
        if any(event in group and group.intersection(told) for group in _EXCLUSIVE):
            return False
        return _STATUS[event] >= _STATUS[told[-1]]


def _kinds(event: str) -> tuple[Callable[[Write], bool], ...]:
    """What kinds of requests cause such a fact; the later only if there is none of the earlier."""
    if event == "bound":
        return (_binds,)
    if event in _STATUS:
        return (_changes_status, _evicts, _changes) if event == "disrupted" else (_changes_status, _changes)
    if event == "deleting":
        return (_deletes,)
    if event == "deleted":
        return (_removes,)
    return ()


def _creates(one: Write) -> bool:
    return one.verb == "create" and one.resource == "pods"


def _binds(one: Write) -> bool:
    return one.resource == "pods/binding"


def _changes_status(one: Write) -> bool:
    return one.resource == "pods/status"


def _changes(one: Write) -> bool:
    return one.verb in ("patch", "update") and one.resource == "pods"


def _evicts(one: Write) -> bool:
    return one.resource == "pods/eviction"


def _deletes(one: Write) -> bool:
    return (one.verb == "delete" and one.resource == "pods") or _evicts(one)


def _removes(one: Write) -> bool:
    """The last finalizer may be taken away after the deletion."""
    return _deletes(one) or _changes(one)
