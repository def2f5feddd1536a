"""The gangs of a submission, followed until their pods have nodes."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from knavtool.kube.merging import watch_all
from knavtool.kube.resource import PODS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knavtool.workflow.observing.gangs import Gang, Gangs
    from knavtool.workflow.task import Context


class GangWatch:
    """The gangs, sorted anew whenever enough pods may have a node."""

    def __init__(self, context: Context, gangs: Gangs, namespaces: Sequence[str | None]) -> None:
        self._context = context
        self._gangs = gangs
        self._logs = [context.lives.logs[namespace] for namespace in namespaces]
        self._places = [(PODS, namespace) for namespace in namespaces]
        self.now = context.clock()

    @property
    def gangs(self) -> Sequence[Gang]:
        """The gangs with their pods."""
        return self._gangs.all

    async def until(self, *, any_: bool, timeout: float) -> bool:
        """Wait until the pods of every gang have a node, or with `any_` one pod; whether it came to that in time.

        A gang that was refused is not waited for.
        """
        timeout = 0.0 if all(gang.refused for gang in self.gangs) else timeout
        reached = False
        # So many pods have to get a node before it is worth looking again.
        due = 0
        try:
            async with (
                asyncio.timeout(timeout or None),
                aclosing(watch_all(self._context.stores, self._places)) as events,
            ):
                synced = False
                async for event in events:
                    synced = synced or event.synced
                    bindings = sum(log.bindings for log in self._logs)
                    if synced and bindings >= due:
                        missing = await self._missing(any_=any_)
                        reached = not missing
                        # Pods that are too many go without a binding.
                        due = bindings if any(gang.surplus for gang in self.gangs) else bindings + missing
                    if reached or (synced and not timeout):
                        break
        except TimeoutError:
            pass
        self.now = self._context.clock()
        return reached or not await self._missing(any_=any_)

    async def _missing(self, *, any_: bool) -> int:
        """How many pods have to get a node yet, or to lose theirs."""
        pods = (times for log in self._logs for times in log.pods.values())
        await self._gangs.sort(self._context.gateway, pods)
        placed = [(len(gang.placed), gang.size) for gang in self.gangs if not gang.refused]
        self._context.step.progress(sum(count for count, _ in placed), sum(size for _, size in placed))
        if any_:
            return max(1 - sum(count for count, _ in placed), 0)
        return sum(max(size - count, 0) for count, size in placed) + sum(gang.surplus for gang in self.gangs)

    def skews(self) -> list[float]:
        """Per gang, seconds from the first bound pod of those that have a place to the last."""
        moments = [[times.bound for times in gang.placed if times.bound is not None] for gang in self.gangs]
        return [max(each) - min(each) for each in moments if each]

    def missed(self) -> str:
        """Why it is not known when the pods got their nodes; empty if it is."""
        missed = [times.missed for gang in self.gangs for times in gang.pods if times.missed]
        if not missed:
            return ""
        return f"when {len(missed)} pods got their nodes is not known, because pods could not be watched: {missed[0]}"

    def data(self) -> dict[str, object]:
        """For machines."""
        skews = self.skews()
        return {
            "gangs": len(self.gangs),
            "pods": sum(gang.size for gang in self.gangs),
            "bound": sum(len(gang.placed) for gang in self.gangs),
            "nodes": sorted({times.node for gang in self.gangs for times in gang.placed}),
            "longestSkew": round(max(skews, default=0.0), 4),
        }

    def words(self) -> str:
        """`4 gangs, 32 pods on 32 nodes, each gang bound within 12 ms`."""
        data = self.data()
        nodes = len({times.node for gang in self.gangs for times in gang.placed})
        longest = max(self.skews(), default=0.0)
        several = "s" if len(self.gangs) != 1 else ""
        certain = all(gang.amount.most in (None, gang.size) for gang in self.gangs)
        pods = data["pods"] if certain else data["bound"]
        return f"{len(self.gangs)} gang{several}, {pods} pods on {nodes} nodes, bound within {longest:.3g} s"
