"""Regular expressions as Go's RE2 reads them, for Python's `re`, for matching whole names.

What only Go has is translated, what only Python has is refused, so that a file that works here works there too. Tests
hold it against RE2 itself. Full matches only: greediness then makes no difference. Names are ASCII, so Unicode classes
are refused, and groups nest at most a hundred deep.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import ClassVar

from knavtool.workflow.references.characters import CLASSES, POSIX, BadPattern, Characters, escape_at, escaped

__all__ = ["BadPattern", "compile_pattern", "translate"]

_REPEAT = re.compile(r"\{(0|[1-9][0-9]*)(,(0|[1-9][0-9]*)?)?\}")
_GROUP = re.compile(r"\(\?(?:P?<(?P<name>[0-9A-Za-z_]+)>|(?P<flags>[imsU]*(?:-[imsU]+)?)(?P<end>[:)]))")
_POSIX_CLASS = re.compile(r"\[:(\^?)([^:\]]*):\]")
_MOST_REPEATS = 1000
_DEEPEST = 100
_ASSERTIONS = {"A": r"\A", "z": r"\Z", "b": r"\b", "B": r"(?!\b)"}  # Python's \B is never true of empty text


def compile_pattern(text: str) -> re.Pattern[str]:
    """Compile for `fullmatch`; raises BadPattern."""
    try:
        return re.compile(translate(text), re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadPattern(str(error)) from None


def translate(text: str) -> str:
    """RE2 syntax as Python's; raises BadPattern for what RE2 does not have."""
    return _Translator(text).result()


@dataclass(frozen=True, slots=True)
class _Flags:
    """`(?i)`, `(?m)` and `(?s)`; they hold up to the end of the group around them."""

    fold: bool = False
    lines: bool = False
    dot_all: bool = False

    NAMES: ClassVar = {"i": "fold", "m": "lines", "s": "dot_all"}


@dataclass(slots=True)
class _Group:
    """An open group: its finished alternatives, and the parts of the last one with how often they repeat inside."""

    outer: _Flags
    finished: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    repeats: list[int] = field(default_factory=list)
    most_repeats: int = 1

    def add(self, part: str, repeats: int = 1) -> None:
        self.parts.append(part)
        self.repeats.append(repeats)
        self.most_repeats = max(self.most_repeats, repeats)

    def alternative(self) -> None:
        self.finished.append("".join(self.parts))
        self.parts, self.repeats = [], []

    def source(self) -> str:
        self.alternative()
        return f"(?:{'|'.join(self.finished)})"


class _Translator:
    """Reads from left to right; the output has no flags, every part says itself what it matches."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._flags = _Flags()
        self._groups = [_Group(self._flags)]

    def result(self) -> str:
        repeated = False
        while self._at < len(self._text):
            character = self._text[self._at]
            repetition = character in "*+?" or (character == "{" and _REPEAT.match(self._text, self._at) is not None)
            if repetition and repeated:
                raise BadPattern(f"two repetitions in a row at {self._text[self._at :]!r}")
            if repetition:
                self._repeat()
            else:
                self._part(character)
            repeated = repetition
        if len(self._groups) > 1:
            raise BadPattern("a parenthesis is not closed")
        return self._groups[0].source()

    def _part(self, character: str) -> None:
        group = self._groups[-1]
        match character:
            case "\\":
                self._escape()
                return
            case "[":
                group.add(self._class())
                return
            case "(":
                self._open()
                return
            case ")":
                self._close()
            case "|":
                group.alternative()
            case "^":
                group.add(r"(?<![^\n])" if self._flags.lines else r"\A")
            case "$":
                group.add(r"(?![^\n])" if self._flags.lines else r"\Z")
            case ".":
                group.add("(?s:.)" if self._flags.dot_all else r"[^\n]")
            case _:
                group.add(self._literal(character))
        self._at += 1

    def _literal(self, character: str) -> str:
        return Characters([character]).source(fold=True) if self._flags.fold else escaped(character)

    def _repeat(self) -> None:
        group = self._groups[-1]
        found = _REPEAT.match(self._text, self._at)
        part = found[0] if found else self._text[self._at]
        self._at += len(part)
        if self._text[self._at : self._at + 1] == "?":
            self._at += 1
        if not group.parts:
            raise BadPattern(f"nothing to repeat before {part!r}")
        repeats = group.repeats.pop()
        if found:
            least = int(found[1])
            most = int(found[3] or least)
            if most < least:
                raise BadPattern(f"{part}: the second number is smaller than the first")
            repeats *= max(least, most, 1)
            if max(least, most) > _MOST_REPEATS or (repeats > _MOST_REPEATS and most > 1):
                raise BadPattern(f"{part}: more than {_MOST_REPEATS} repetitions")
        group.add(f"(?:{group.parts.pop()}){part}", repeats)

    def _open(self) -> None:
        if len(self._groups) > _DEEPEST:
            raise BadPattern(f"parentheses are nested more than {_DEEPEST} deep")
        flags = self._flags
        read = "("
        if self._text.startswith("(?", self._at):
            found = _GROUP.match(self._text, self._at)
            if found is None:
                shown = self._text[self._at : self._at + 4]
                raise BadPattern(f"{shown!r} is not in RE2 (no lookaround, no conditions)")
            read = found[0]
            if not found["name"]:
                flags = self._changed(found["flags"])
        self._at += len(read)
        if read.startswith("(?") and read.endswith(")"):
            self._flags = flags
            return
        self._groups.append(_Group(self._flags))
        self._flags = flags

    def _changed(self, given: str) -> _Flags:
        on, _, off = given.partition("-")
        values = {name: letter in on for letter, name in _Flags.NAMES.items() if letter in on + off}
        values |= {name: False for letter, name in _Flags.NAMES.items() if letter in off}
        return replace(self._flags, **values)

    def _close(self) -> None:
        if len(self._groups) == 1:
            raise BadPattern("a parenthesis is closed that was not opened")
        group = self._groups.pop()
        self._flags = group.outer
        self._groups[-1].add(group.source(), group.most_repeats)

    def _escape(self) -> None:
        group = self._groups[-1]
        follows = self._text[self._at + 1 : self._at + 2]
        if follows == "Q":
            end = self._text.find("\\E", self._at + 2)
            for character in self._text[self._at + 2 : end if end >= 0 else None]:
                group.add(self._literal(character))
            self._at = end + 2 if end >= 0 else len(self._text)
        elif follows in _ASSERTIONS:
            group.add(_ASSERTIONS[follows])
            self._at += 2
        elif follows in CLASSES:
            group.add(CLASSES[follows].source())
            self._at += 2
        else:
            group.add(self._literal(self._character()))

    def _character(self) -> str:
        character, self._at = escape_at(self._text, self._at)
        return character

    def _class(self) -> str:
        self._at += 1
        negated = self._text.startswith("^", self._at)
        self._at += negated
        found = Characters()
        first = True
        while first or not self._text.startswith("]", self._at):
            if self._at >= len(self._text):
                raise BadPattern("a [ is not closed")
            self._class_item(found)
            first = False
        self._at += 1
        return found.source(fold=self._flags.fold, negated=negated)

    def _class_item(self, found: Characters) -> None:
        text, at = self._text, self._at
        if posix := _POSIX_CLASS.match(text, at):
            if posix[2] not in POSIX:
                raise BadPattern(f"{posix[0]} is no class")
            found.include(POSIX[posix[2]], negated=bool(posix[1]))
            self._at += len(posix[0])
            return
        if text[at] == "\\" and text[at + 1 : at + 2] in CLASSES:
            found.include(CLASSES[text[at + 1]])
            self._at += 2
            return
        first = last = self._class_character()
        if text.startswith("-", self._at) and text[self._at + 1 : self._at + 2] not in ("]", ""):
            self._at += 1
            last = self._class_character()
        if last < first:
            raise BadPattern(f"bad character range {first}-{last}")
        found.add(first, last)

    def _class_character(self) -> str:
        if self._text[self._at] == "\\":
            return self._character()
        self._at += 1
        return self._text[self._at - 1]
