"""Arguments of a program by the names of its flags."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from knavtool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FLAG = re.compile(r"--?([A-Za-z][A-Za-z0-9._-]*?)(-|=.*)?", re.DOTALL)


def read_flag(text: str) -> tuple[str, str | None]:
    """Name and whole text of `--flag=value` or `--flag`; None instead of the text for `--flag-`, which removes it."""
    found = _FLAG.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is no flag", hint="write --flag=value, --flag, or --flag- to remove one")
    return found[1], None if found[2] == "-" else text


def with_flags(args: Iterable[str], changes: Mapping[str, str | None]) -> list[str]:
    """Arguments with each flag of `changes` in the place of the last one of its name, or at the end; None removes.

    The value of a flag may be the argument after it; it goes with the flag.
    """
    kept: list[tuple[str, list[str]]] = []
    for arg in args:
        found = _FLAG.fullmatch(arg)
        if found is not None and found[2] != "-":
            kept.append((found[1], [arg]))
        elif kept and not arg.startswith("-") and "=" not in kept[-1][1][0] and len(kept[-1][1]) == 1:
            kept[-1][1].append(arg)
        else:
            kept.append(("", [arg]))
    last = {name: number for number, (name, _) in enumerate(kept)}
    made: list[str] = []
    for number, (name, words) in enumerate(kept):
        if name not in changes:
            made += words
        elif number == last[name] and (text := changes[name]) is not None:
            made.append(text)
    return made + [text for name, text in changes.items() if name not in last and text is not None]


def names(args: Iterable[str]) -> frozenset[str]:
    """The names of all flags."""
    return frozenset(found[1] for arg in args if (found := _FLAG.fullmatch(arg)))
