"""Which files a run's reports go to, checked before the run and written after it."""

from __future__ import annotations

import errno
import os
import tempfile
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from knavtool.errors import DocumentError, OutputError
from knavtool.report import json_file, junit_file, markdown_file
from knavtool.report.files import as_output_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from knavtool.measure.table import Measured
    from knavtool.report.facts import Facts
    from knavtool.report.recorder import Record

NAMES = ("report.json", "junit.xml", "summary.md")
PAGE = "report.html"


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

    def write(
        self,
        record: Record,
        *,
        epoch: float,
        facts: Facts | None = None,
        measured: Measured | None = None,
        cache: Path | None = None,
    ) -> tuple[list[Path], list[OutputError]]:
        """Write all of them; returns the files, and why others could not be written. One that fails stops none.

        With what was `measured` there is a page too; `cache` is where its script is kept.
        """
        written: list[Path] = []
        failed: list[OutputError] = []
        for path, write in self._writers(record, epoch, facts, measured, cache):
            try:
                write()
            except OutputError as error:
                failed.append(error)
            else:
                written.append(path)
        return written, failed

    def _writers(
        self, record: Record, epoch: float, facts: Facts | None, measured: Measured | None, cache: Path | None
    ) -> Iterator[tuple[Path, Callable[[], None]]]:
        """The file of each report, and what writes it."""
        below = [self.directory / name for name in NAMES] if self.directory is not None else [None] * len(NAMES)
        for path in filter(None, (below[0], self.json)):
            yield path, partial(json_file.write, path, record, epoch=epoch, facts=facts, measured=measured)
        for path in filter(None, (below[1], self.junit)):
            yield path, partial(junit_file.write, path, record, epoch=epoch, facts=facts)
        for path in filter(None, (below[2], self.markdown)):
            yield path, partial(markdown_file.write, path, record, facts=facts, measured=measured)
        if self.step_summary is not None:
            yield (
                self.step_summary,
                partial(markdown_file.append, self.step_summary, record, facts=facts, measured=measured),
            )
        if measured is not None and self.directory is not None:
            page = self.directory / PAGE
            yield page, partial(_write_page, page, measured, cache)


def _write_page(path: Path, measured: Measured, cache: Path | None) -> None:
    """Write the page. Whatever goes wrong with its plots is told as any other report that cannot be written."""
    from knavtool.report import html

    try:
        html.write(path, measured, cache=cache)
    except OutputError:
        raise
    except Exception as error:
        raise OutputError(f"cannot draw the report {path}: {type(error).__name__}: {error}") from error


def check_file(path: Path) -> None:
    """Find out before a run whether a report can be written there after it; a device or a pipe is left alone."""
    if path.exists() and not path.is_file():
        with as_output_error(f"cannot write the report {path}", DocumentError):
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            if not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return
    check_directory(path.parent)


def check_directory(directory: Path) -> None:
    """Find out before a run whether reports can be written to a directory after it, which is not made yet."""
    with as_output_error(f"cannot write reports to {directory}", DocumentError):
        there = next(path for path in (directory, *directory.absolute().parents) if path.exists())
        # A name that nobody has: whatever lies there may be the user's.
        with tempfile.TemporaryFile(dir=there):
            pass
