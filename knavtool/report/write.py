"""Which files a run's reports go to, checked before the run and written after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.errors import DocumentError
from knavtool.report import json_file, junit_file, markdown_file

if TYPE_CHECKING:
    from pathlib import Path

    from knavtool.report.facts import Facts
    from knavtool.report.recorder import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFiles:
    """Where the user wants reports; `directory` is for one of each kind, `step_summary` is added to."""

    directory: Path | None = None
    json: Path | None = None
    junit: Path | None = None
    markdown: Path | None = None
    step_summary: Path | None = None

    def check(self) -> None:
        """Raise DocumentError if a report could not be written: a run of an hour would have to be done again."""
        files = [file.parent for file in (self.json, self.junit, self.markdown, self.step_summary) if file is not None]
        for directory in sorted({*files, *([self.directory] if self.directory is not None else [])}):
            check_directory(directory)

    def write(self, record: Record, *, epoch: float, facts: Facts | None = None) -> list[Path]:
        """Write all of them; returns the files. Raises DocumentError."""
        written = []
        if self.directory is not None:
            written += write_reports(self.directory, record, epoch=epoch, facts=facts)
        if self.json is not None:
            json_file.write(self.json, record, epoch=epoch, facts=facts)
            written.append(self.json)
        if self.junit is not None:
            junit_file.write(self.junit, record, epoch=epoch, facts=facts)
            written.append(self.junit)
        if self.markdown is not None:
            markdown_file.write(self.markdown, record, facts=facts)
            written.append(self.markdown)
        if self.step_summary is not None:
            markdown_file.append(self.step_summary, record, facts=facts)
            written.append(self.step_summary)
        return written


def write_reports(directory: Path, record: Record, *, epoch: float, facts: Facts | None = None) -> list[Path]:
    """Write `report.json`, `junit.xml` and `summary.md`; all tell the same run. Returns the files."""
    paths = [directory / name for name in ("report.json", "junit.xml", "summary.md")]
    json_file.write(paths[0], record, epoch=epoch, facts=facts)
    junit_file.write(paths[1], record, epoch=epoch, facts=facts)
    markdown_file.write(paths[2], record, facts=facts)
    return paths


def check_directory(directory: Path) -> None:
    """Find out before a run whether its report can be written after it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe = directory / ".knavtool"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise DocumentError(
            f"cannot write reports to {directory}: {error.strerror or error}",
            hint="--report names a directory that you may write to",
        ) from error
