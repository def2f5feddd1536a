"""What became of the pods whose lives a task has to judge yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.kube.resource import PODS
from knavtool.workflow.observing.family import Family
from knavtool.workflow.observing.pod_log import PodLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from knavtool.kube.resource import Manifest
    from knavtool.kube.store import Stores
    from knavtool.workflow.submission import Submission


class Lives:
    """One log of pods per namespace, None for all of them together.

    Of pods that are gone only those are remembered that may belong to a submission that is judged later on. `judges` is
    how many tasks of the run judge each, by its key.
    """

    def __init__(self, clock: Callable[[], float], judges: Mapping[int, int] | None = None) -> None:
        self._clock = clock
        self._left = dict(judges or {})
        self._judged: dict[int, Submission] = {}
        self.logs: dict[str | None, PodLog] = {}

    async def follow(self, stores: Stores, namespaces: Iterable[str | None], key: int, submission: Submission) -> None:
        """Follow the pods of a submission from before there are any, so that nothing in their lives is missed."""
        self._judged[key] = submission
        for namespace in namespaces:
            log = None
            if namespace not in self.logs:
                log = self.logs[namespace] = PodLog(self._clock, self._wanted)
            await stores.follow(PODS, namespace, log)

    def judged(self, keys: Iterable[int]) -> None:
        """One of the tasks that judge these submissions has done so."""
        for key in keys:
            if key in self._left:
                self._left[key] -= 1
                if self._left[key] <= 0:
                    self._judged.pop(key, None)

    def _wanted(self) -> Callable[[Manifest], bool]:
        families = [Family(submission) for submission in self._judged.values()]
        return lambda pod: any(family.may_have(pod) for family in families)
