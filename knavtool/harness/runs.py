"""A run with its recording, from workflow files to what was measured."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knavtool.documents.workflow_reader import load_workflows
from knavtool.errors import KnavError
from knavtool.harness.limits import rate_limit
from knavtool.harness.programs import helm
from knavtool.harness.recording import RunRecording
from knavtool.harness.running import carry_out
from knavtool.report.facts import Facts
from knavtool.report.recorder import Recorder, failures
from knavtool.workflow import plan
from knavtool.workflow.plugins import installed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from knavtool.events import Steps
    from knavtool.harness.target import Target
    from knavtool.measure.table import Measured
    from knavtool.report.recorder import Record
    from knavtool.workflow.plan import Plan

CLEANUP_TIMEOUT = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a run ended. `error` is what stopped it, other than a check; `measured` is None if `why` says so."""

    passed: bool
    record: Record
    measured: Measured | None
    why: str = ""
    error: KnavError | None = None

    @property
    def failures(self) -> list[str]:
        """What failed, each in a line: the task and its message."""
        found = [f"{one.name}: {one.message}" for one in failures(self.record) if one.message]
        return found or ([self.error.message] if self.error is not None else [])


def planned(files: Sequence[Path], variables: Mapping[str, Any]) -> Plan:
    """The plan of workflows with these values of variables; InvalidDocument or UsageError for what is wrong."""
    types = installed()
    documents = load_workflows(files, types.documents, settings=variables)
    return plan.build(documents, search=[Path.cwd()], types=types)


def variables_of(files: Sequence[Path]) -> Mapping[str, Any]:
    """The variables that workflows have, with their values."""
    documents = load_workflows(files, installed().documents)
    return {name: value for document in documents for name, value in document.variables.items()}


async def run(plan: Plan, target: Target, directory: Path, *, steps: Steps, cleanup: bool = False) -> Run:
    """Carry a plan out and record it in the directory, which is made; raises only what is no error of the run.

    A cancelled run is cancelled, and its recording is whole.
    """
    recorder, facts = Recorder(epoch=time.time() - time.monotonic()), Facts()
    limit = rate_limit(target.environment, None, None)
    directory.mkdir(parents=True, exist_ok=True)
    recording = RunRecording(
        directory,
        epoch=recorder.epoch,
        environment=target.environment,
        facts=facts,
        limit=limit,
        everything=True,
    )
    passed, error = False, None
    try:
        heard = steps.heard_by(recorder, recording.file)
        passed = await carry_out(
            plan,
            target,
            helm=await helm(target, heard),
            steps=heard,
            facts=facts,
            limit=limit,
            cleanup=cleanup,
            cleanup_timeout=CLEANUP_TIMEOUT,
            recording=recording,
        )
    except KnavError as stopped:
        error = stopped
    finally:
        recording.end()
    measured, wrong = await asyncio.to_thread(recording.measured_whole)
    recording.close(keep=True)
    return Run(
        passed=passed,
        record=recorder.record,
        measured=measured,
        why=wrong[0].message if wrong else "",
        error=error,
    )
