"""The reports of a run: written after its end, and where they are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from knavtool.cli import options, streams
from knavtool.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

    from knavtool.harness.recording import RunRecording
    from knavtool.report.facts import Facts
    from knavtool.report.recorder import Recorder
    from knavtool.report.write import ReportFiles


def write_reports(
    reports: ReportFiles,
    recording: RunRecording | None,
    recorder: Recorder,
    facts: Facts,
    log_format: options.LogFormat,
) -> list[OutputError]:
    """Write the reports and say where they are; returns why some could not be written."""
    from knavtool.harness.programs import cache_directory

    measured, unmeasured = recording.measured_whole() if recording is not None and reports.directory else (None, [])
    written, failed = reports.write(
        recorder.record, epoch=recorder.epoch, facts=facts, measured=measured, cache=cache_directory(os.environ)
    )
    failed += unmeasured
    if recording is not None and (failure := recording.file.failure) is not None:
        failed.append(OutputError(f"the recording {recording.file.path} is not complete: {failure.strerror}"))
    elif recording is not None and reports.directory is not None:
        written.append(recording.file.path)
    if written and log_format is options.LogFormat.JSON:
        import json

        streams.say(json.dumps({"event": "reports", "files": [str(path) for path in written]}))
    elif written:
        names: dict[Path, list[str]] = {}
        for path in written:
            names.setdefault(path.parent, []).append(path.name)
        places = [f"{directory}/{_together(files)}" for directory, files in names.items()]
        streams.say(f"reports: {', '.join(places)}")
    return failed


def _together(names: list[str]) -> str:
    """Files of one directory as a shell writes them: `{a,b}`."""
    return names[0] if len(names) == 1 else f"{{{','.join(names)}}}"
