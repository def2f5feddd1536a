"""What becomes of a pod, one thing after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from knavtool.measure.facts import Pod

_ENDS = ("succeeded", "failed")


def happened(pod: Pod, at: float, event: str, detail: str, by: str, *, late: bool) -> None:
    """One thing that happened to a pod, in order; what was true before it could be seen has no moment."""
    moment = None if late else at
    match event:
        case "created":
            pod.created = at
        case "gated":
            pod.held.append((at, f"gated: {detail}" if detail else "gated"))
        case "unschedulable":
            pod.attempts += 0 if detail.startswith("SchedulingGated") else 1
            pod.held.append((at, detail))
        case "bound" if pod.bound is None:
            pod.bound, pod.node = at, detail
            pod.late = pod.late or late
            pod.attempts += 1
        case "running" if not pod.runs:
            pod.running, pod.runs = moment, True
        case "disrupted":
            pod.disrupted, pod.reason = at, detail
            pod.by = by or pod.by
        case "preempted":
            pod.by = by or pod.by
        case "deleted":
            pod.deleted = at
        case _ if event in _ENDS and pod.ended is None:
            # A pod that fails because it is evicted did not come to an end of its own.
            pod.ended, pod.outcome = at, event
