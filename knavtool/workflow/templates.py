"""Where the template files of a workflow are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def find_template(name: str, workflow: Path, search: Sequence[Path]) -> tuple[Path | None, list[Path]]:
    """The first file of that name and all places that were looked at.

    First `search` (the working directory), then the workflow file's directory and its parents.
    """
    given = Path(name).expanduser()
    if given.is_absolute():
        places = [given]
    else:
        directory = workflow.resolve().parent
        places = list(
            dict.fromkeys([*(base / given for base in search), *(d / given for d in (directory, *directory.parents))])
        )
    return next((place for place in places if place.is_file()), None), places


def shown(path: Path, search: Sequence[Path]) -> Path:
    """The path as short as a reader in the working directory can write it."""
    for base in search:
        if path.is_relative_to(base):
            return path.relative_to(base)
    return path
