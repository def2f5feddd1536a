"""The paths argument of a command: comma-separated lists, `{a,b}` alternatives, directories."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING

from knavtool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BRACES = re.compile(r"\{([^{}]*)\}")
_SUFFIXES = {".yml", ".yaml"}


def expand_paths(arguments: Sequence[str]) -> list[Path]:
    """Files in the order they are named; of a directory its YAML files by name, not those below it."""
    files: list[Path] = []
    for argument in arguments:
        for item in _split(argument):
            for name in _alternatives(item):
                files.extend(_files(Path(name)))
    if not files:
        raise UsageError("no workflow file is named")
    return files


def _split(argument: str) -> Iterator[str]:
    """Cut at commas outside braces."""
    depth, item = 0, ""
    for character in argument:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth not in (0, 1):
            kind = "nested" if depth > 1 else "unbalanced"
            raise UsageError(f"{kind} braces in {argument!r}", hint="write {a,b}, one level deep")
        if character == "," and depth == 0:
            if item.strip():
                yield item.strip()
            item = ""
        else:
            item += character
    if depth:
        raise UsageError(f"unbalanced braces in {argument!r}", hint="write {a,b}, one level deep")
    if item.strip():
        yield item.strip()


def _alternatives(item: str) -> Iterator[str]:
    """All combinations of the alternatives; the leftmost changes slowest."""
    parts = _BRACES.split(item)
    choices = [part.split(",") if number % 2 else [part] for number, part in enumerate(parts)]
    for combination in itertools.product(*choices):
        yield "".join(part.strip() if len(choices[n]) > 1 else part for n, part in enumerate(combination))


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.is_file() and file.suffix in _SUFFIXES)
        if not found:
            raise UsageError(f"{path}: the directory holds no .yml or .yaml file")
        return found
    if not path.is_file():
        raise UsageError(f"{path}: no such file")
    return [path]
