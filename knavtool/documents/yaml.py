"""Reading YAML: users' files with positions, machine-made text fast. Writing YAML."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml as pyyaml

from knavtool.documents.places import Location, Position, path_text
from knavtool.errors import InvalidDocument, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Document", "dump", "load", "load_rendered", "load_text", "path_text"]

# How many values a file may stand for: each character can give one, and aliases give more.
_LEAST_BUDGET = 100_000
_VALUES_PER_CHARACTER = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document as plain data, and where each key and item of it stands (counted from 1)."""

    file: str
    data: Any
    positions: Mapping[Location, Position] = field(default_factory=dict, repr=False)

    def position(self, path: Sequence[str | int]) -> Position:
        """Line and column of a path, or of its nearest ancestor that is written in the file."""
        location = tuple(path)
        while location and location not in self.positions:
            location = location[:-1]
        return self.positions.get(location, (1, 1))

    def violation(self, path: Sequence[str | int], message: str) -> Violation:
        """Something wrong at a path."""
        line, column = self.position(path)
        return Violation(self.file, line, column, path_text(path), message)

    def where(self, path: Sequence[str | int]) -> str:
        """`file:line:column` of a path."""
        line, column = self.position(path)
        return f"{self.file}:{line}:{column}"


def load(path: Path) -> Document:
    """Read the first document of a file that is not empty; raises InvalidDocument with the place of the fault."""
    try:
        # Editors on Windows begin a file with a byte order mark.
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise _unreadable(path, "no such file") from None
    except IsADirectoryError:
        raise _unreadable(path, "is a directory, expected a YAML file") from None
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}") from None
    return load_text(text, str(path))


def _unreadable(path: Path, message: str) -> InvalidDocument:
    return InvalidDocument([Violation(str(path), 0, 0, "", message)])


def load_text(text: str, file: str) -> Document:
    """Read the first document of a text that is not empty; scalars by the rules of YAML 1.2, so `yes` and dates stay
    strings."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    from knavtool.documents.compose import Composer
    from knavtool.documents.scanner import ShallowScanner, TooDeep

    reader = YAML(typ="safe", pure=True)
    reader.Scanner = ShallowScanner
    # YAML lets an anchor be given again, and a warning here would be one in the user's terminal.
    reader.composer.warn_double_anchors = False
    composer = Composer(file, budget=_LEAST_BUDGET + _VALUES_PER_CHARACTER * len(text))
    try:
        root = next((node for node in reader.compose_all(text) if not _empty(node)), None)
        data = composer.data(root) if root is not None else None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        problem = " ".join(str(part) for part in (error.context, error.problem) if part)
        if "<block" in problem:
            problem += " (is the indentation right?)"
        message = problem if isinstance(error, TooDeep) else f"not YAML: {problem}"
        raise InvalidDocument([Violation(file, line, column, "", message)]) from None
    except ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"not YAML: the character U+{_code(error.character):04X} is not allowed"
        raise InvalidDocument([Violation(file, line, column, "", message)]) from None
    except YAMLError as error:
        raise InvalidDocument([Violation(file, 1, 1, "", f"not YAML: {error}")]) from None
    except RecursionError:
        raise InvalidDocument([Violation(file, 1, 1, "", "nested too deeply")]) from None
    if root is None:
        raise InvalidDocument([Violation(file, 1, 1, "", "the file is empty")])
    if composer.faults:
        raise InvalidDocument(composer.faults)
    return Document(file=file, data=data, positions=composer.positions)


def _empty(node: Any) -> bool:
    """Whether nothing but comments stands between two separators."""
    return node.id == "scalar" and not node.value and node.style is None


def _code(character: int | str | bytes) -> int:
    return character if isinstance(character, int) else ord(character)


class _RenderedLoader(pyyaml.CSafeLoader):
    """YAML 1.1 as sigs.k8s.io/yaml reads it: `on` and `yes` are booleans, dates and `1:30` text, keys always text."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep=deep)
        if all(isinstance(key, str) for key in mapping):
            return mapping
        return {key if isinstance(key, str) else json.dumps(key): value for key, value in mapping.items()}


def _boolean(_: Any, node: Any) -> bool:
    return str(node.value).lower() in ("y", "yes", "true", "on")


def _integer(loader: Any, node: Any) -> float:
    """A whole number; one that does not fit 64 bits is a float to Go, and to JSON."""
    number: int = pyyaml.CSafeLoader.construct_yaml_int(loader, node)
    return number if -(2**63) <= number < 2**64 else float(number)


def _number(_: Any, node: Any) -> float:
    """A float as Go writes it into JSON: without a point if it is whole, so that `3.0` and `1e+06` fit integers."""
    text = str(node.value).replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan")
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < 10**21 else number


_BOOL, _INT, _FLOAT = (f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float"))
# What the Go library takes for numbers and booleans, for example `1e3`, `0o17` and `y`.
_GO_SCALARS = (
    (
        _INT,
        r"[-+]?0b[0-1_]+|[-+]?0o?[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+",
        "-+0123456789",
    ),
    (
        _FLOAT,
        r"[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    (_BOOL, r"[yYnN]", "yYnN"),
)
_RenderedLoader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":value", ":int", ":float"))
    ]
    for first, resolvers in pyyaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_RenderedLoader.add_constructor(_BOOL, _boolean)
_RenderedLoader.add_constructor(_INT, _integer)
_RenderedLoader.add_constructor(_FLOAT, _number)


def load_rendered(text: str) -> list[dict[str, Any]]:
    """Read machine-made YAML, empty documents left out; raises yaml.YAMLError."""
    try:
        return [document for document in pyyaml.load_all(text, _RenderedLoader) if document is not None]
    except (ValueError, OverflowError) as error:
        raise pyyaml.YAMLError(f"a scalar does not fit its tag: {error}") from None
    except RecursionError:
        raise pyyaml.YAMLError("nested too deeply") from None


class _Dumper(pyyaml.CSafeDumper):
    """Block style, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def _text(dumper: Any, value: str) -> Any:
    """Several lines are written as they are, so that people can read them."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)
for _tag, _pattern, _first in _GO_SCALARS:
    # The dumper must know them too, to put texts that look like them into quotes.
    for _class in (_RenderedLoader, _Dumper):
        _class.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), list(_first))


def dump(objects: Iterable[Any]) -> str:
    """Write documents one after another, each behind `---`; the same input gives the same text."""
    return "".join(
        "---\n" + pyyaml.dump(item, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6)
        for item in objects
    )
