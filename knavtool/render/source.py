"""Template files, cut into documents where `kubectl create` would cut them.

Where a document begins is known before anything is rendered, so that each has one number, whatever the parameters are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from knavtool.errors import DocumentError
from knavtool.render import goactions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_SEPARATOR = re.compile(r"^---[ \t]*(?:#.*)?$", re.MULTILINE)
_MARK = "knavtool-document-7c1e9f04-"
_MARKED = re.compile(rf"^[ \t]*---{_MARK}(\d+)$\n?", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectTemplate:
    """A template file; `blocks` are its documents, and `lines` the line numbers at which they begin.

    What can print nothing but comments is no document. `text` is the whole file, in which an action that prints a mark
    stands for each separator; `split` finds the marks. A `raw` file is not rendered.
    """

    file: Path
    text: str
    blocks: tuple[str, ...]
    lines: tuple[int, ...]
    raw: bool = False

    def place(self, block: int) -> str:
        """How messages call a document."""
        return self.called(block, self.lines[block])

    def called(self, block: int, line: int) -> str:
        """How messages call a line of a document."""
        place = f"{self.file}:{line}"
        return place if len(self.blocks) == 1 else f"{place}: document {block}"

    def line_of(self, block: int, rendered: Sequence[str], number: int) -> int | None:
        """The line of the file that gives a line of what a document renders to; None if that cannot be told."""
        wanted = rendered[number]
        written = self.blocks[block].split("\n")
        fits = [index for index, line in enumerate(written) if _may_give(line, wanted, raw=self.raw)]
        nearest = min(fits, key=lambda index: abs(index - number), default=None)
        return None if nearest is None else self.lines[block] + nearest


def load_template(path: Path, *, raw: bool = False) -> ObjectTemplate:
    """Read a template file. Raises DocumentError."""
    try:
        # Editors on Windows begin a file with a byte order mark, and end its lines with two characters.
        content = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DocumentError(f"{path}: no such template") from None
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise DocumentError(f"{path}: the template cannot be read: {error.strerror}") from None
    blocks: list[str] = []
    lines: list[int] = []
    text = ""
    start = 0
    for end, following in _separators(content, raw=raw):
        block = content[start:end]
        if goactions.says_something(block, raw=raw):
            blocks.append(block)
            lines.append(content.count("\n", 0, start) + 1)
        # The line break stays, so that lines have the numbers of the file.
        text += block + (f'{{{{ "\\n---{_MARK}{len(blocks)}\\n" }}}}' if following > end else "")
        start = following
    if not blocks:
        raise DocumentError(f"{path}: the template is empty")
    return ObjectTemplate(file=path, text=text, blocks=tuple(blocks), lines=tuple(lines), raw=raw)


def split(rendered: str, documents: int) -> list[tuple[int, str]]:
    """What a whole template rendered to, as (number of the document, text)."""
    first, *rest = _MARKED.split(rendered)
    parts = [(0, first), *((int(number), text) for number, text in zip(rest[::2], rest[1::2], strict=True))]
    # What follows the last document is no document, whatever it says.
    return [(min(number, documents - 1), text) for number, text in parts if text.strip()]


def _separators(content: str, *, raw: bool) -> Iterator[tuple[int, int]]:
    """Start and end of each separator, and those of the file's end; what stands inside an action separates nothing."""
    actions = [] if raw else goactions.spans(content)
    for match in _SEPARATOR.finditer(content):
        if not any(start < match.start() < end for start, end in actions):
            yield match.span()
    yield len(content), len(content)


def _may_give(written: str, rendered: str, *, raw: bool) -> bool:
    if raw or written == rendered:
        return written == rendered
    fixed = re.split(r"\{\{.*?\}\}", written)
    if len(fixed) == 1 or not "".join(fixed).strip():
        return False
    return re.fullmatch(".*".join(map(re.escape, fixed)), rendered) is not None
