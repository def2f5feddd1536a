"""Which files a run's reports go to, checked before the run and written after it."""

from __future__ import annotations

import errno
import os
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.report import json_file, junit_file, markdown_file
from knavtool.report.files import told

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
        for file in filter(None, (self.json, self.junit, self.markdown, self.step_summary)):
            check_file(file)
        if self.directory is not None:
            check_directory(self.directory)

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


def check_file(path: Path) -> None:
    """Find out before a run whether a report can be written there after it; a device or a pipe is left alone."""
    if path.exists() and not path.is_file():
        with told(f"cannot write the report {path}"):
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            if not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return
    check_directory(path.parent)


def check_directory(directory: Path) -> None:
    """Find out before a run whether reports can be written to a directory after it; nothing is left in it."""
    with told(f"cannot write reports to {directory}"):
        directory.mkdir(parents=True, exist_ok=True)
        # A name that nobody has: whatever lies there may be the user's.
        with tempfile.TemporaryFile(dir=directory):
            pass
