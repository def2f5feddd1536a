"""Where the template files of a workflow are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def find_template(
    name: str, workflow: Path, search: Sequence[Path], within: Sequence[Path] = ()
) -> tuple[Path | None, list[Path]]:
    """The first file of that name and all places that were looked at.

    First `search` (the working directory), then the workflow file's directory and its parents. With `within`, files
    outside of these directories are never looked at, also not through links; `workflow` is relative to the first.
    """
    # Unlike Path.expanduser, this leaves the home of an unknown user as it is written.
    given = Path(name if within else os.path.expanduser(name))  # noqa: PTH111
    if given.is_absolute():
        places = [given]
    else:
        directory = within[0].joinpath(workflow).parent if within else workflow.resolve().parent
        places = list(dict.fromkeys(base / given for base in (*search, directory, *directory.parents)))
    if within:
        normal = (Path(os.path.normpath(place)) for place in places)
        places = [place for place in normal if _lies_within(place, within)]
    return next((place for place in places if _is_file(place)), None), places


def _lies_within(place: Path, directories: Sequence[Path]) -> bool:
    try:
        real = place.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, or a name that no file can have
        return False
    return any(real.is_relative_to(directory) for directory in directories)


def _is_file(place: Path) -> bool:
    try:
        return place.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def shown(path: Path, search: Sequence[Path]) -> Path:
    """The path as short as a reader in the working directory can write it."""
    for base in search:
        if path.is_relative_to(base):
            return path.relative_to(base)
    return path
