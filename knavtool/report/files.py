"""Writes a report whole or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from knavtool.atomic import FOR_PEOPLE, atomic_write
from knavtool.errors import DocumentError, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def write(path: Path, content: str) -> None:
    """Write a report, making the directories above it. Raises DocumentError."""
    with told(f"cannot write the report {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, content.encode(errors="backslashreplace"), mode=FOR_PEOPLE)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Tell an OSError as a DocumentError that says `what` failed."""
    try:
        yield
    except OSError as error:
        hint = why_not(error, denied="name a place that you may write to")
        raise DocumentError(f"{what}: {error.strerror or error}", hint=hint) from error
