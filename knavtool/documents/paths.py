"""The paths argument of a command: comma-separated lists, `{a,b}` alternatives, directories."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.documents.complaints import nearest
from knavtool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BRACES = re.compile(r"\{([^{}]*)\}")
_SUFFIXES = frozenset({".yml", ".yaml"})


def expand_paths(arguments: Sequence[str]) -> list[Path]:
    """Files in the order they are named; of a directory its YAML files by name, not those below it.

    Raises UsageError that names everything that cannot be used.
    """
    files, faults = find_paths(arguments)
    if faults:
        raise UsageError("\n".join(faults))
    return files


def find_paths(arguments: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The files that are there, and what is wrong with the others."""
    files: list[Path] = []
    faults: dict[str, None] = {}
    for argument in arguments:
        try:
            names = _names(argument)
        except UsageError as error:
            faults[error.message] = None
            continue
        if not names:
            faults[f"{argument!r} names no file"] = None
        for name in names:
            try:
                files.extend(_files(Path(name)))
            except UsageError as error:
                faults[error.message] = None
    return files, list(faults)


def _names(argument: str) -> list[str]:
    """One argument as names of files and directories; a file whose own name has commas or braces is taken as it is."""
    if Path(argument).is_file():
        return [argument]
    return [name for item in _split(argument) for name in _alternatives(item)]


def _split(argument: str) -> Iterator[str]:
    """Cut at commas outside braces."""
    depth, item = 0, ""
    for character in argument:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth not in (0, 1):
            raise _bad_braces("nested" if depth > 1 else "unbalanced", argument)
        if character == "," and depth == 0:
            yield item.strip()
            item = ""
        else:
            item += character
    if depth:
        raise _bad_braces("unbalanced", argument)
    yield item.strip()


def _bad_braces(fault: str, argument: str) -> UsageError:
    return UsageError(f"{fault} braces in {argument!r}; write {{a,b}}, one level deep")


def _alternatives(item: str) -> Iterator[str]:
    """All combinations of the alternatives; the leftmost changes slowest. Nothing gives nothing."""
    # Every second part stood in braces.
    choices = [
        [alternative.strip() for alternative in part.split(",")] if number % 2 else [part]
        for number, part in enumerate(_BRACES.split(item))
    ]
    return filter(None, ("".join(combination) for combination in itertools.product(*choices)))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.is_file() and file.suffix in _SUFFIXES)
        if not found:
            raise UsageError(f"{path}: the directory holds no .yml or .yaml file")
        return found
    if path.exists():
        # A pipe, for example one that a shell made of a command's output.
        return [path]
    raise UsageError(f"{path}: no such file{_neighbour(path)}")


def _neighbour(path: Path) -> str:
    try:
        return nearest(path.name, [other.name for other in path.parent.iterdir()])
    except OSError:
        return ""
