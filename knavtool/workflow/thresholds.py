"""Judges the thresholds of a workflow when its tasks have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.events import Result
from knavtool.measure.threshold import judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knavtool.events import Steps
    from knavtool.measure.threshold import Threshold
    from knavtool.workflow.task import Recorded

TYPE = "threshold"
"""What reports call the type of such a step."""


async def judge_thresholds(
    thresholds: Sequence[Threshold], recorded: Recorded | None, steps: Steps, stopped: str
) -> bool:
    """One step for each, judged by what was recorded until now; whether one was missed.

    `stopped` says why they are skipped, empty if they are not. All are judged, whatever becomes of the others.
    """
    measured = None
    if thresholds and recorded is not None and not stopped:
        measured = await recorded.measured()
    missed = False
    for threshold in thresholds:
        with steps.step("task", str(threshold), TYPE) as step:
            if stopped or measured is None:
                step.result, step.message = Result.SKIPPED, stopped or "nothing is recorded"
                continue
            verdict = judge(threshold, measured)
            step.message = verdict.message
            step.data.update({"value": verdict.value, "samples": verdict.n})
            if not verdict.passed:
                step.result, missed = Result.FAILED, True
    return missed
