"""When pods were seen to be bound, to run, to end and to go: a fold of the watch stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.kube.gateway import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from knavtool.kube.gateway import WatchEvent
    from knavtool.kube.resource import Manifest

_FEW = 1000
"""So many pods that are gone are kept without a question."""


@dataclass(slots=True, kw_only=True)
class PodTimes:
    """One pod as it was seen last, and the moments of its life in seconds of the log's clock; None: not yet."""

    pod: Manifest
    created: float
    bound: float | None = None
    running: float | None = None
    ended: float | None = None
    gone: float | None = None
    missed: str = ""
    """Why the moment at which it got its node is not known; empty if it is."""

    @property
    def node(self) -> str:
        """The node's name, empty while the pod has none."""
        return str(self.pod.get("spec", {}).get("nodeName") or "")

    @property
    def deleted(self) -> bool:
        """Whether somebody deletes the pod, gone or not: evicted, preempted, or by its owner."""
        return "deletionTimestamp" in self.pod["metadata"]

    @property
    def holds(self) -> bool:
        """Whether the pod has its place: it is bound and stays, or has come to its end there."""
        return self.bound is not None and (self.ended is not None or (self.gone is None and not self.deleted))


class PodLog:
    """Listens to a store of pods. Moments are those at which the watch told of them, in the order of the server.

    The conditions of a pod have whole seconds; the stream tells milliseconds apart.

    Of pods that are gone it keeps those that had a node and that somebody asks for: `wanted` gives a test for that, and
    is called whenever their number has doubled. So it grows with the pods that there are, and with those asked for.
    """

    def __init__(
        self, clock: Callable[[], float], wanted: Callable[[], Callable[[Manifest], bool]] = lambda: lambda _: True
    ) -> None:
        self._clock = clock
        self._wanted = wanted
        self._gone = 0
        self._enough = _FEW
        self.pods: dict[str, PodTimes] = {}
        self.bindings = 0
        """How many pods were seen to get a node, those that are gone again included."""
        self._missing = ""  # why changes are missed, until all that is there is known again

    def __call__(self, event: WatchEvent) -> None:
        """Take one event in."""
        if event.synced or event.interrupted:
            self._missing = event.interrupted
            return
        now = self._clock()
        pod = event.object
        uid = pod["metadata"]["uid"]
        times = self.pods.get(uid)
        if event.change is Change.DELETED:
            if times is not None:
                self._remove(uid, times, now)
            return
        if times is None:
            times = self.pods[uid] = PodTimes(pod=pod, created=now)
        times.pod = pod
        phase = pod.get("status", {}).get("phase")
        if times.bound is None and pod.get("spec", {}).get("nodeName"):
            times.bound, times.missed = now, self._missing
            self.bindings += 1
        if times.running is None and phase == "Running":
            times.running = now
        # A pod that fails because it is deleted did not come to an end of its own; another takes its place.
        if times.ended is None and (phase == "Succeeded" or (phase == "Failed" and not times.deleted)):
            times.ended = now

    def _remove(self, uid: str, times: PodTimes, now: float) -> None:
        if times.bound is None:
            # It never had a place, so it is neither part of a gang nor a gang's lack.
            del self.pods[uid]
            return
        times.gone = now
        phase = times.pod.get("status", {}).get("phase")
        times.pod = {
            "metadata": times.pod["metadata"],
            "spec": {"nodeName": times.node},
            "status": {"phase": phase},
        }
        self._gone += 1
        if self._gone >= self._enough:
            wanted = self._wanted()
            gone = {uid: times for uid, times in self.pods.items() if times.gone is not None}
            for each in [uid for uid, times in gone.items() if not wanted(times.pod)]:
                del self.pods[each]
                self._gone -= 1
            self._enough = max(2 * self._gone, _FEW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """A gang was bound in part, `most` of its pods at a time, for `seconds` from the moment `since`."""

    since: float
    seconds: float
    most: int


def partial_times(pods: list[PodTimes], size: int, *, now: float) -> Iterator[Partial]:
    """The times during which some pods of a gang had a place, but fewer than `size`.

    A pod that has ended keeps its place: a gang is not partial because some of its pods are done earlier.
    """
    changes = []
    for times in pods:
        if times.bound is not None:
            changes.append((times.bound, 1))
            if times.gone is not None and times.ended is None:
                changes.append((times.gone, -1))
    count = most = 0
    since: float | None = None
    for at, change in sorted(changes):
        count += change
        if 0 < count < size:
            since = at if since is None else since
            most = max(most, count)
        elif since is not None:
            yield Partial(since=since, seconds=at - since, most=most)
            since, most = None, 0
    if since is not None:
        yield Partial(since=since, seconds=now - since, most=most)
