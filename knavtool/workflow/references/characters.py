"""Sets of characters in regular expressions of RE2, written for Python's `re`."""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LAST = 0x10FFFF
_HEX = re.compile(r"\\x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))")
_OCTAL = re.compile(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})")
_CONTROLS = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
# What Unicode folds to an ASCII letter besides its other case: the Kelvin sign and the long s.
_FOLDS = {"\u212a": "kK", "\u017f": "sS"}


class BadPattern(ValueError):
    """The text is no regular expression of RE2; the message says why."""


class Characters:
    """Ranges of code points."""

    def __init__(self, characters: Iterable[str] = ()) -> None:
        self._ranges: list[tuple[int, int]] = []
        for character in characters:
            self.add(character, character)

    def add(self, first: str, last: str) -> None:
        """Add a range of characters."""
        self._ranges.append((ord(first), ord(last)))

    def include(self, other: Characters, *, negated: bool = False) -> None:
        """Add another set, or all that is not in it."""
        self._ranges += _complement(other._ranges) if negated else other._ranges

    def __contains__(self, character: str) -> bool:
        return any(first <= ord(character) <= last for first, last in self._ranges)

    def source(self, *, fold: bool = False, negated: bool = False) -> str:
        """As a class of Python; with `fold` letters stand for both cases."""
        ranges = [*self._ranges]
        if fold:
            for letter in (*string.ascii_letters, *_FOLDS):
                if letter in self:
                    ranges += [(ord(same), ord(same)) for same in _FOLDS.get(letter, letter.swapcase())]
        if negated:
            ranges = _complement(ranges)
        if not ranges:
            return "(?!)"
        return f"[{''.join(f'{escaped(chr(first))}-{escaped(chr(last))}' for first, last in ranges)}]"


def _complement(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    result = []
    free = 0
    for first, last in sorted(ranges):
        if free < first:
            result.append((free, first - 1))
        free = max(free, last + 1)
    return [*result, (free, _LAST)] if free <= _LAST else result


def escaped(character: str) -> str:
    """A character as Python reads it inside and outside of classes."""
    return re.escape(character) if " " <= character <= "~" else f"\\U{ord(character):08x}"


def escape_at(text: str, at: int) -> tuple[str, int]:
    """The character that an escape stands for, and where it ends; raises BadPattern."""
    follows = text[at + 1 : at + 2]
    if found := _HEX.match(text, at) or _OCTAL.match(text, at):
        digits = found[found.lastindex or 1]
        number = int(digits, 16 if found.re is _HEX else 8)
        if number > _LAST:
            raise BadPattern(f"{found[0]} is no character")
        return chr(number), found.end()
    if follows in _CONTROLS:
        return _CONTROLS[follows], at + 2
    if follows in ("p", "P"):
        raise BadPattern(rf"\{follows}: Unicode classes are not supported; names are ASCII, [a-z] says it")
    if follows.isdigit():
        raise BadPattern(rf"\{follows}: RE2 has no back-references")
    if follows and follows.isascii() and not follows.isalnum():
        return follows, at + 2
    raise BadPattern(rf"\{follows} is not in RE2" if follows else "ends with a backslash")


def _characters(*ranges: str) -> Characters:
    found = Characters()
    for each in ranges:
        found.add(each[0], each[-1])
    return found


def _others(characters: Characters) -> Characters:
    found = Characters()
    found.include(characters, negated=True)
    return found


_DIGITS = _characters("09")
_WORD = _characters("09", "AZ", "az", "_")
_SPACE = _characters("\t\n", "\f\r", " ")
CLASSES = {
    "d": _DIGITS,
    "D": _others(_DIGITS),
    "s": _SPACE,
    "S": _others(_SPACE),
    "w": _WORD,
    "W": _others(_WORD),
}
"""`\\d` and its like."""
POSIX = {
    "alnum": _characters("09", "AZ", "az"),
    "alpha": _characters("AZ", "az"),
    "ascii": _characters("\0\x7f"),
    "blank": _characters("\t", " "),
    "cntrl": _characters("\0\x1f", "\x7f"),
    "digit": _DIGITS,
    "graph": _characters("!~"),
    "lower": _characters("az"),
    "print": _characters(" ~"),
    "punct": _characters("!/", ":@", "[`", "{~"),
    "space": _characters("\t\r", " "),
    "upper": _characters("AZ"),
    "word": _WORD,
    "xdigit": _characters("09", "AF", "af"),
}
"""`[:alpha:]` and its like."""
