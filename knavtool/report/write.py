"""The files of `--report DIR`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knavtool.errors import DocumentError
from knavtool.report import json_file, junit_file

if TYPE_CHECKING:
    from pathlib import Path

    from knavtool.report.recorder import Record


def write_reports(directory: Path, record: Record, *, epoch: float) -> list[Path]:
    """Write `report.json` and `junit.xml`; both tell the same run. Returns the files."""
    paths = [directory / "report.json", directory / "junit.xml"]
    json_file.write(paths[0], record, epoch=epoch)
    junit_file.write(paths[1], record, epoch=epoch)
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
