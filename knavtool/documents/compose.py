"""From composed YAML nodes to plain data, with the place of every key and item."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from knavtool.documents.places import Location, Position, path_text
from knavtool.errors import InvalidDocument, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_NUMBER = 1000
"""Characters; Python refuses to write down numbers that are much longer."""
DEEPEST = 100
"""Levels; JSON is written 255 levels deep at most, and texts of the file are put into others."""
_HALF_A_PAIR = "a text holds half of a surrogate pair, which is no character"
_TRUE = frozenset(("true", "yes", "on", "y"))


class Composer:
    """Builds the data of one document; collects what is wrong in `faults` and goes on.

    Aliases are copied, so a small file could stand for an endless amount of data; `budget` bounds that.
    """

    def __init__(self, file: str, *, budget: int) -> None:
        self.positions: dict[Location, Position] = {}
        self.faults: list[Violation] = []
        self._file = file
        self._budget = budget
        self._open: set[int] = set()

    def data(self, node: Any, path: Location = ()) -> Any:
        """The data of a node and everything below it; raises InvalidDocument if it cannot be built at all."""
        place = _place(node)
        self.positions.setdefault(path, place)
        self._budget -= 1
        if self._budget < 0:
            raise InvalidDocument(
                [Violation(self._file, *place, "", "the aliases of this file stand for too much data")]
            )
        if node.id == "scalar":
            return self._scalar(node, path)
        if id(node) in self._open:
            self._fault(place, path, "the alias stands for something that contains it")
            return None
        if len(self._open) == DEEPEST:
            raise InvalidDocument([Violation(self._file, *place, "", f"nested more than {DEEPEST} levels deep")])
        self._open.add(id(node))
        try:
            if node.id == "sequence":
                return [self.data(child, (*path, index)) for index, child in enumerate(node.value)]
            return self._mapping(node, path)
        finally:
            self._open.remove(id(node))

    def _mapping(self, node: Any, path: Location) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            if key.id != "scalar":
                self._fault(_place(key), path, "a key must be plain text, not a list or a map")
                continue
            if key.tag.endswith(":merge"):
                for inherited in self._merged(value, path):
                    merged = inherited | merged
                continue
            if not _is_text(key.value):
                self._fault(_place(key), path, _HALF_A_PAIR)
                continue
            inner = (*path, str(key.value))
            if key.value in result:
                line, _ = self.positions[inner]
                self._fault(_place(key), inner, f"the key is given twice; first in line {line}")
                continue
            self.positions[inner] = _place(key)
            result[key.value] = self.data(value, inner)
        return merged | result

    def _merged(self, node: Any, path: Location) -> Iterator[dict[str, Any]]:
        for source in node.value if node.id == "sequence" else [node]:
            if source.id == "mapping":
                # What is inherited has its places where it is written, and stands at none of the paths here.
                kept, self.positions = self.positions, {}
                inherited = self.data(source, path)
                self.positions = kept
                if inherited is not None:
                    yield inherited
            else:
                self._fault(_place(source), path, "only maps can be merged with <<")

    def _scalar(self, node: Any, path: Location) -> Any:
        tag = str(node.tag)
        written = str(node.value)
        if not _is_text(written):
            self._fault(_place(node), path, _HALF_A_PAIR)
            return None
        kind = tag.rpartition(":")[2] if tag.startswith("tag:yaml.org,2002:") else ""
        try:
            match kind:
                case "null":
                    return None
                case "bool":
                    return written.lower() in _TRUE
                case "int":
                    return _integer(written)
                case "float":
                    return _number(written)
                case "str" | "timestamp" | "value" | "merge":
                    return written
                case _:
                    self._fault(_place(node), path, f"the tag {tag} is not known here")
        except ValueError:
            self._fault(_place(node), path, f"{written[:40]!r} is no number that can be used here")
        return None

    def _fault(self, place: Position, path: Location, message: str) -> None:
        self.faults.append(Violation(self._file, *place, path_text(path), message))


def _is_text(written: str) -> bool:
    """Whether it can be written as UTF-8; an escape such as `\\ud800` alone cannot."""
    return written.isascii() or not any("\ud800" <= character <= "\udfff" for character in written)


def _place(node: Any) -> Position:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _integer(written: str) -> int:
    digits = written.replace("_", "")
    if len(digits) > _LONGEST_NUMBER:
        raise ValueError(written)
    return int(digits, 0 if digits.lstrip("+-")[:2].lower() in ("0x", "0o", "0b") else 10)


def _number(written: str) -> float:
    number = float(written.replace("_", ""))
    if not math.isfinite(number):
        raise ValueError(written)
    return number
