"""When what is recorded of pods happened: by the API server's audit log where there is one, else by the watch."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from knavtool.recording.causes import EXACT, RECENT, Life, Write

if TYPE_CHECKING:
    from collections.abc import Callable

    from knavtool.recording.file import Recording

HOLD = 1.0
"""Seconds after which a fact whose request has not come is recorded without it."""
KEPT = 30.0
"""Seconds for which requests are kept, because a watch may be so late."""
_AMISS = 0.5
_TWICE = 2


@dataclass(frozen=True, slots=True)
class Request:
    """A request that the API server answered with `code`; `time` and `received` are seconds since 1970, by its clock.

    `time` is when it was answered. `agent` is the program's name, `verb` that of the audit log, `resource` such as
    `pods/binding`. `name` and `uid` are those of the object, `uid` only of one that was created.
    """

    time: float
    received: float
    agent: str
    verb: str
    resource: str
    namespace: str
    name: str
    uid: str
    code: int


class Requests(Protocol):
    """Where requests are read; `trouble` says what went wrong first."""

    @property
    def trouble(self) -> str:
        """Empty if all is well."""

    def read(self) -> list[Request]:
        """What has come since the last call; raises nothing."""


@dataclass(slots=True)
class _Pod:
    """What is held back of one pod, in the order in which it was told."""

    life: Life
    held: list[tuple[float, dict[str, Any]]] = field(default_factory=list)


class Moments:
    """Writes facts into a recording; those of pods wait for the request that caused them, if there is an audit log.

    `at` of such a fact is then the moment of the request, and `seen` that at which the watch told it. A fact whose
    request does not come within a second is written with the watch's moment alone. Facts of a pod keep their order.
    `settle` has to be called some times per second, and at the end.
    """

    def __init__(self, recording: Recording, *, wall: Callable[[], float] = time.time) -> None:
        self._recording = recording
        self._wall = wall
        self._requests: Requests | None = None
        self._pods: dict[str, _Pod] = {}
        self._holding: dict[str, _Pod] = {}
        self._writes: dict[tuple[str, str], list[Write]] = {}
        self._order: deque[tuple[float, tuple[str, str]]] = deque()
        self._late = 0.0
        self._amiss = 0
        self._troubled = False

    def use(self, requests: Requests | None, reason: str = "") -> None:
        """Take moments from these requests from now on; if there are none, `reason` says why."""
        self._requests = requests
        clock = "watch" if requests is None else "audit"
        self._recording.write(fact="clock", clock=clock, reason=reason)

    def write(self, **fact: Any) -> None:
        """Record a fact that is known at this moment."""
        if self._requests is None or fact["fact"] != "pod":
            self._recording.write(**fact)
            return
        uid = fact["uid"]
        pod = self._pods.get(uid)
        if pod is None:
            pod = self._pods[uid] = _Pod(Life(uid))
        pod.held.append((self._recording.now(), fact))
        self._holding[uid] = pod

    def settle(self, *, last: bool = False) -> bool:
        """Read what requests there were, and write the facts that they caused; True if some still wait for theirs.

        With `last` nothing is held back any more. Costs 10 microseconds per request, and 15 per fact.
        """
        if self._requests is None:
            return False
        now = self._recording.now()
        self._take(self._requests.read(), self._wall() - now)
        self._complain(self._requests.trouble)
        amiss = matched = 0
        for uid, pod in list(self._holding.items()):
            while pod.held:
                seen, fact = pod.held[0]
                write = self._cause(pod, seen, fact)
                wrong = write is not None and not -_AMISS < write.received <= seen + _AMISS
                if write is None and not (last or fact.get("late") or seen < now - HOLD):
                    break
                pod.held.pop(0)
                amiss, matched = amiss + wrong, matched + (write is not None and not wrong)
                self._tell(pod, seen, fact, None if wrong else write)
            if not pod.held:
                del self._holding[uid]
        self._forget(now)
        self._doubt(amiss, matched)
        return bool(self._holding)

    def _cause(self, pod: _Pod, seen: float, fact: dict[str, Any]) -> Write | None:
        if fact.get("late"):
            return None
        writes = self._writes.get((fact.get("namespace", ""), fact["name"]), ())
        return pod.life.cause(fact["event"], seen, writes, max(RECENT, 2 * self._late))

    def _tell(self, pod: _Pod, seen: float, fact: dict[str, Any], write: Write | None) -> None:
        event = fact["event"]
        at = pod.life.note(event, seen, write)
        if write is not None and event in EXACT:
            # How late the watch was lately, without the odd one.
            self._late = max(seen - at, 0.98 * self._late)
        self._recording.write(at=at, seen=None if write is None else seen, **fact)
        if event == "deleted":
            self._pods.pop(fact["uid"], None)

    def _take(self, requests: list[Request], offset: float) -> None:
        """Count requests by the second, and keep the writes of pods; the recording began at `offset` since 1970."""
        counts: Counter[tuple[int, str, str, str]] = Counter()
        for one in requests:
            at = one.time - offset
            counts[max(int(at), 0), one.agent, one.verb, one.resource] += 1
            if one.resource.startswith("pods") and 200 <= one.code < 300 and one.verb not in ("get", "list"):
                place = (one.namespace, one.name)
                write = Write(at, one.received - offset, one.verb, one.resource, one.uid)
                self._writes.setdefault(place, []).append(write)
                self._order.append((at, place))
        for (second, agent, verb, resource), count in counts.items():
            self._recording.write(at=second, fact="requests", agent=agent, verb=verb, resource=resource, count=count)

    def _doubt(self, amiss: int, matched: int) -> None:
        """Believe the watch from now on, if the audit log twice told moments that cannot be those of this run.

        Once that may be because the wall clock was set.
        """
        if not amiss and not matched:
            return
        self._amiss = 0 if matched else self._amiss + 1
        if self._amiss < _TWICE:
            return
        for pod in self._holding.values():
            for seen, fact in pod.held:
                self._recording.write(at=seen, **fact)
        self._holding.clear()
        self._pods.clear()
        self._writes.clear()
        self._order.clear()
        self.use(None, "the times in the audit log are not those of this machine's clock")

    def _complain(self, trouble: str) -> None:
        if trouble and not self._troubled:
            self._troubled = True
            self._recording.write(fact="note", message=trouble, warning=True)

    def _forget(self, now: float) -> None:
        while self._order and self._order[0][0] < now - KEPT:
            _, place = self._order.popleft()
            writes = self._writes[place]
            writes.pop(0)
            if not writes:
                del self._writes[place]
