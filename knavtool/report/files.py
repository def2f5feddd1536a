"""Writes a file whole or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from knavtool.atomic import FOR_PEOPLE, atomic_write
from knavtool.errors import OutputError, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from knavtool.errors import KnavError


def write(path: Path, content: str) -> None:
    """Write a report, making the directories above it. Raises OutputError."""
    with as_output_error(f"cannot write the report {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, content.encode(errors="backslashreplace"), mode=FOR_PEOPLE)


@contextmanager
def as_output_error(what: str, error_type: type[KnavError] = OutputError) -> Iterator[None]:
    """Tell an OSError as an error of that type, which says `what` failed."""
    try:
        yield
    except OSError as error:
        hint = why_not(error, denied="name a place that you may write to")
        raise error_type(f"{what}: {error.strerror or error}", hint=hint) from error
