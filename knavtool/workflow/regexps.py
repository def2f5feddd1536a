"""Regular expressions as Go's RE2 reads them, for Python's `re`, for matching whole names.

What both read alike passes; what only Go has is translated; what only Python has is refused, so that a file that
works here works there too. Full matches only: greediness then makes no difference, and RE2's `(?U)` can be dropped.
"""

from __future__ import annotations

import re

_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7F",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1F\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_POSIX_CLASS = re.compile(r"\[:(\^?)(\w+):\]")
_REPEAT = re.compile(r"\{(\d+)(,(\d*))?\}")
_GROUP = re.compile(r"\(\?(?:P?<(?P<name>\w+)>|(?P<flags>[imsU]*(?:-[imsU]+)?)(?P<end>[:)]))")
_HEX = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
_SAME_ESCAPES = frozenset("AbBdDsSwWaftnrv0")
_MOST_REPEATS = 1000


class BadPattern(ValueError):
    """The text is no regular expression of RE2; the message says why."""


def compile_pattern(text: str) -> re.Pattern[str]:
    """Compile for `fullmatch`; raises BadPattern."""
    try:
        return re.compile(translate(text), re.ASCII)
    except (re.error, OverflowError) as error:
        raise BadPattern(str(error)) from None


def translate(text: str) -> str:
    """RE2 syntax as Python's; raises BadPattern for what RE2 does not have."""
    return _Translator(text).result()


class _Translator:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._out: list[str] = []
        # How many groups were opened for flags like `(?i)` that hold up to the end of the group around them.
        self._extra = [0]

    def result(self) -> str:
        repeated = False
        while self._at < len(self._text):
            character = self._text[self._at]
            if character in "*+?" or (character == "{" and _REPEAT.match(self._text, self._at)):
                if repeated:
                    raise BadPattern(f"two repetitions in a row at {self._text[self._at :]!r}")
                self._repetition()
                repeated = True
                continue
            repeated = False
            match character:
                case "\\":
                    self._out.append(self._escape())
                case "[":
                    self._out.append(self._class())
                case "(":
                    self._open()
                case ")":
                    self._close()
                case "{":
                    self._emit(r"\{", 1)
                case "|":
                    # Flags hold for the alternatives after them too, and an alternation inside the group that
                    # stands for them has the same meaning, because nothing precedes the flags in their branch
                    # that a later branch could share.
                    self._emit("|", 1)
                case _:
                    self._emit(character, 1)
        if len(self._extra) > 1:
            raise BadPattern("a parenthesis is not closed")
        return "".join(self._out) + ")" * self._extra[0]

    def _emit(self, out: str, read: int) -> None:
        self._out.append(out)
        self._at += read

    def _repetition(self) -> None:
        found = _REPEAT.match(self._text, self._at)
        part = found[0] if found else self._text[self._at]
        if found and max(int(found[1]), int(found[3] or 0)) > _MOST_REPEATS:
            raise BadPattern(f"{part}: more than {_MOST_REPEATS} repetitions")
        self._emit(part, len(part))
        if self._text[self._at : self._at + 1] == "?":
            self._emit("?", 1)

    def _open(self) -> None:
        if not self._text.startswith("(?", self._at):
            self._extra.append(0)
            self._emit("(", 1)
            return
        found = _GROUP.match(self._text, self._at)
        if found is None:
            raise BadPattern(f"{self._text[self._at : self._at + 4]!r} is not in RE2 (no lookaround, no conditions)")
        if found["name"]:
            self._extra.append(0)
            self._emit(f"(?P<{found['name']}>", len(found[0]))
            return
        flags = found["flags"].replace("U", "").rstrip("-")
        opened = f"(?{flags}:" if flags else "(?:"
        if found["end"] == ":":
            self._extra.append(0)
            self._emit(opened, len(found[0]))
            return
        if "|" in self._branch_before():
            raise BadPattern(f"{found[0]!r} after a | is not supported; write {found[0][:-1]}:...) instead")
        self._extra[-1] += 1
        self._emit(opened, len(found[0]))

    def _branch_before(self) -> str:
        """What stands before this place in the same group, if it holds an alternative."""
        depth = 0
        for number in range(len(self._out) - 1, -1, -1):
            part = self._out[number]
            if part == ")":
                depth += 1
            elif part.startswith("("):
                if depth == 0:
                    return ""
                depth -= 1
            elif part == "|" and depth == 0:
                return "|"
        return ""

    def _close(self) -> None:
        if len(self._extra) == 1:
            raise BadPattern("a parenthesis is closed that was not opened")
        for _ in range(self._extra.pop()):
            self._out.append(")")
        self._emit(")", 1)

    def _escape(self) -> str:
        text, at = self._text, self._at
        follows = text[at + 1 : at + 2]
        if follows == "Q":
            end = text.find("\\E", at + 2)
            literal = text[at + 2 : end if end >= 0 else len(text)]
            self._at = end + 2 if end >= 0 else len(text)
            return re.escape(literal)
        if follows == "x" and (found := _HEX.match(text, at)):
            self._at += len(found[0])
            if int(found[1], 16) > 0x10FFFF:
                raise BadPattern(f"{found[0]} is no character")
            return re.escape(chr(int(found[1], 16)))
        self._at += 2
        if follows == "z":
            return r"\Z"
        if follows == "x":
            self._at += 2
            return text[at : at + 4]
        if follows in _SAME_ESCAPES or (follows and not follows.isalnum()):
            return text[at : at + 2]
        if follows in ("p", "P"):
            raise BadPattern(rf"\{follows}: Unicode classes are not supported; names are ASCII, [a-z] says it")
        if follows.isdigit():
            raise BadPattern(rf"\{follows}: RE2 has no back-references")
        raise BadPattern(rf"\{follows} is not in RE2" if follows else "ends with a backslash")

    def _class(self) -> str:
        text = self._text
        self._at += 1
        out = "["
        if text[self._at : self._at + 1] == "^":
            out += "^"
            self._at += 1
        first = True
        while first or text[self._at : self._at + 1] != "]":
            if self._at >= len(text):
                raise BadPattern("a [ is not closed")
            out += self._class_item(first=first)
            first = False
        self._at += 1
        return out + "]"

    def _class_item(self, *, first: bool) -> str:
        text, at = self._text, self._at
        if found := _POSIX_CLASS.match(text, at):
            if found[2] not in _POSIX or found[1]:
                raise BadPattern(f"{found[0]} is not a class that is supported")
            self._at += len(found[0])
            return _POSIX[found[2]]
        if text[at] == "\\":
            if text[at + 1 : at + 2] in ("A", "b", "B", "z"):
                raise BadPattern(f"{text[at : at + 2]} in a class is not in RE2")
            return self._escape()
        self._at += 1
        # Python warns of characters that may get a meaning inside classes one day.
        return f"\\{text[at]}" if text[at] in "[&|~" or (first and text[at] == "]") else text[at]
