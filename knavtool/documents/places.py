"""Paths inside a document and how they are written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Location: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the top of a document."""

Position: TypeAlias = tuple[int, int]
"""Line and column, counted from 1."""

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


def path_text(path: Sequence[str | int]) -> str:
    """`nodes[0].labels["a/b"]`, as a reader would write it."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f'["{_printable(part)}"]'
    return text


def _printable(key: str) -> str:
    """The key with escapes for quotes and for what would play tricks on a terminal."""
    return "".join(
        character if character.isprintable() and character not in '"\\' else character.encode("unicode_escape").decode()
        for character in key
    )
