"""The actions of Go template text: what stands between `{{` and `}}`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ACTION = re.compile(
    r"""\{\{(?P<left>-(?=\s))?\s*
        (?P<code>/\*.*?\*/|(?:"(?:\\.|[^"\\])*"|`[^`]*`|'(?:\\.|[^'\\])+'|[^`"'])*?)
        \s*(?P<right>(?<=\s)-)?\}\}""",
    re.DOTALL | re.VERBOSE,
)
TOKEN = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|`[^`]*`|'(?:\\.|[^'\\])+')
      | (?P<number>[-+]?\.?\d[\w.]*)
      | (?P<variable>\$\w*(?:\.\w+)*)
      | (?P<chained>(?<=\))(?:\.\w+)+)
      | (?P<field>(?:\.[^\W\d]\w*)+)
      | (?P<dot>\.)
      | (?P<word>[^\W\d]\w*)
      | (?P<mark>:=|\S)""",
    re.VERBOSE,
)
CONDITIONS = frozenset({"if", "with", "range"})
_OPENING = CONDITIONS | {"define", "block"}
_SILENT = CONDITIONS | {"define", "else", "end", "break", "continue"}
"""Words of actions that print nothing by themselves."""


def spans(text: str) -> list[tuple[int, int]]:
    """Where actions begin and end."""
    return [match.span() for match in ACTION.finditer(text)]


def with_word(text: str, word: str, other: str) -> str:
    """The template with another word in the place of a function's name."""
    replaced, end = "", 0
    for match in ACTION.finditer(text):
        start = match.start("code")
        for token in TOKEN.finditer(match["code"]):
            if token.lastgroup == "word" and token[0] == word:
                replaced += text[end : start + token.start()] + other
                end = start + token.end()
    return replaced + text[end:]


def says_something(text: str, *, raw: bool = False) -> bool:
    """Whether a template can print anything but blanks and comments of YAML; `raw` text has no actions."""
    printed = text if raw else "".join(_printed(text))
    return any(line.strip() and not line.lstrip().startswith("#") for line in printed.splitlines())


def _printed(text: str) -> Iterator[str]:
    """The text outside of actions and definitions, with a character for each action that prints."""
    blocks: list[str] = []
    end = 0
    for match in ACTION.finditer(text):
        if "define" not in blocks:
            yield text[end : match.start()]
        end = match.end()
        tokens = [] if match["code"].startswith("/*") else list(TOKEN.finditer(match["code"]))
        first = tokens[0] if tokens else None
        keyword = first[0] if first is not None and first.lastgroup == "word" else ""
        if keyword in _OPENING:
            blocks.append(keyword)
        elif keyword == "end" and blocks:
            blocks.pop()
        assigns = first is not None and first.lastgroup == "variable" and any(one[0] in (":=", "=") for one in tokens)
        if first is not None and keyword not in _SILENT and not assigns and "define" not in blocks:
            yield "x"
    if "define" not in blocks:
        yield text[end:]
