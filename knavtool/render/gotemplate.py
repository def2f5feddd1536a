"""What can be said about Go template text without running it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from knavtool.render.goactions import ACTION, CONDITIONS, TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

NAME = "_NAME_"
"""The parameter that holds an object's name."""
ENUM = "_ENUM_"
"""The parameter that holds an object's number."""

# What makes something of a parameter that is not given.
# fmt: off
_TOLERANT = frozenset(
    {
        "or", "and", "not", "default", "coalesce", "empty", "hasKey", "get", "dig", "ternary", "eq", "ne",
        "kindIs", "typeOf", "kindOf", "toString", "template", "include",
    }
)
# fmt: on
# Words whose result depends on nothing but their arguments, and that change nothing.
# fmt: off
_PURE = frozenset(
    {
        "if", "else", "end", "range", "with", "break", "continue", "nil", "true", "false", "and", "or", "not",
        "eq", "ne", "lt", "le", "gt", "ge", "len", "index", "slice", "print", "printf", "println", "html",
        "js", "urlquery", "default", "empty", "coalesce", "ternary", "quote", "squote", "upper", "lower",
        "title", "trim", "trimAll", "trimSuffix", "trimPrefix", "trunc", "repeat", "substr", "replace",
        "contains", "hasPrefix", "hasSuffix", "cat", "indent", "nindent", "toString", "toStrings", "join",
        "splitList", "regexMatch", "regexReplaceAll", "sortAlpha", "until", "untilStep", "list", "dict",
        "first", "last", "rest", "initial", "append", "prepend", "concat", "uniq", "without", "has", "get",
        "hasKey", "pick", "omit", "int", "int64", "float64", "atoi", "add", "add1", "sub", "mul", "div", "mod",
        "max", "min", "floor", "ceil", "round", "toYaml", "toJson", "fromYaml", "fromJson", "b64enc", "b64dec",
        "sha256sum", "kindIs", "kindOf", "typeOf", "typeIs", "required", "fail",
    }
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Reference:
    """A parameter that a template prints; `line` counts from 0."""

    field: str
    line: int


@dataclass(frozen=True, slots=True)
class _Action:
    """What stands between `{{` and `}}`; `before` and `after` are the characters it is printed between."""

    tokens: tuple[tuple[str, str], ...]
    line: int
    before: str
    after: str

    @property
    def keyword(self) -> str:
        return self.tokens[0][1] if self.tokens and self.tokens[0][0] == "word" else ""

    def words(self) -> set[str]:
        return {text for kind, text in self.tokens if kind == "word"}


@dataclass(slots=True)
class _Block:
    """An open `if`, `with`, `range` or `define`; None stands for what is known at run time only."""

    moves_dot: bool
    taken: bool | None
    live: bool | None


def missing(text: str, params: Mapping[str, Any]) -> list[Reference]:
    """The parameters that the template prints though they are not given; each at its first place.

    What stands behind a condition or in a loop counts only if the parameters say that it holds, and an action with a
    function like `or` or `default` knows what to do without the parameter. Null counts as not given.
    """
    known = {**params, NAME: "name", ENUM: 1}
    found: dict[str, int] = {}
    blocks: list[_Block] = []
    for action in _actions(text):
        if _enter_or_leave(action, blocks, known):
            continue
        if not all(block.live is True for block in blocks):
            continue
        for field in _required(action, moved=any(block.moves_dot for block in blocks)):
            if not given(field, known):
                found.setdefault(field, action.line)
    return [Reference(field, line) for field, line in found.items()]


def required(text: str) -> list[Reference]:
    """The parameters without which the template prints `<no value>`, whatever other parameters say."""
    return missing(text, {})


def given(field: str, params: Mapping[str, Any]) -> bool:
    """Whether parameters hold a value for `a.b`; null counts as not given."""
    return _value(field, params) is not None


def only_printed(text: str) -> bool:
    """Whether name and number do nothing in a template but be printed where no other text can change their reading.

    Texts of two objects then differ in these two only, and one can be made of the other by replacing them.
    """
    moved: list[bool] = []
    for action in _actions(text):
        if action.words() - _PURE or action.keyword in ("define", "block", "template"):
            return False
        if action.keyword == "end" and moved:
            moved.pop()
        elif action.keyword == "else" and moved:
            moved[-1] = "with" in action.words()
        if not _harmless(action, moved=any(moved)):
            return False
        if action.keyword in CONDITIONS:
            moved.append(action.keyword != "if")
    return True


def _harmless(action: _Action, *, moved: bool) -> bool:
    for kind, text in action.tokens:
        if (kind == "dot" and not moved) or text == "$" or (kind == "text" and (NAME in text or ENUM in text)):
            return False
        if kind not in ("field", "variable", "chained") or not {NAME, ENUM} & set(text.split(".")):
            continue
        if len(action.tokens) > 1 or text.removeprefix("$") not in (f".{NAME}", f".{ENUM}"):
            return False
        if NAME in text and not re.fullmatch(r"[\s\"'/=,:(\[-]?", action.before):
            return False
        if ENUM in text and not (
            re.fullmatch(r"[\s\"'/=,(\[-]?", action.before) and re.fullmatch(r"[^\w.{+-]?", action.after)
        ):
            return False
    return True


def _actions(text: str) -> Iterator[_Action]:
    matches = list(ACTION.finditer(text))
    for number, match in enumerate(matches):
        code = match["code"]
        if code.startswith("/*"):
            continue
        before, after = text[: match.start()], text[match.end() :]
        if match["left"] or (
            number and matches[number - 1]["right"] and not before[matches[number - 1].end() :].strip()
        ):
            before = before.rstrip()
        if match["right"] or (
            number + 1 < len(matches)
            and matches[number + 1]["left"]
            and not after[: matches[number + 1].start() - match.end()].strip()
        ):
            after = after.lstrip()
        yield _Action(
            tokens=tuple((str(token.lastgroup), token[0]) for token in TOKEN.finditer(code)),
            line=text.count("\n", 0, match.start()),
            before=before[-1:],
            after=after[:1],
        )


def _enter_or_leave(action: _Action, blocks: list[_Block], params: Mapping[str, Any]) -> bool:
    """Keep the open blocks; False if the action may need parameters itself."""
    keyword = action.keyword
    if keyword in CONDITIONS:
        holds = _truth(action.tokens[1:], params, moved=any(block.moves_dot for block in blocks))
        blocks.append(_Block(keyword != "if", holds, holds))
        return True
    if keyword in ("define", "block"):
        blocks.append(_Block(True, None, None))
    elif keyword == "else" and blocks:
        block = blocks[-1]
        block.moves_dot = "with" in action.words()
        condition = action.tokens[2:]
        holds = _truth(condition, params, moved=any(b.moves_dot for b in blocks[:-1])) if condition else True
        block.live = _both(_opposite(block.taken), holds)
        block.taken = _opposite(_both(_opposite(block.taken), _opposite(holds)))
    elif keyword == "end" and blocks:
        blocks.pop()
    else:
        return False
    return True


def _required(action: _Action, *, moved: bool) -> Iterator[str]:
    if action.words() & _TOLERANT or ("mark", ":=") in action.tokens:
        return
    for kind, text in action.tokens:
        if (field := _root_field(kind, text, moved=moved)) is not None:
            yield field


def _root_field(kind: str, text: str, *, moved: bool) -> str | None:
    """`a.b` if a token stands for a field of the parameters."""
    if kind == "variable" and text.startswith("$."):
        return text[2:]
    return text[1:] if kind == "field" and not moved else None


def _truth(tokens: Sequence[tuple[str, str]], params: Mapping[str, Any], *, moved: bool) -> bool | None:
    """What a condition gives, if that can be told from the parameters."""
    operator = tokens[0][1] if tokens and tokens[0][0] == "word" else ""
    if operator in ("not", "and", "or"):
        results = [_operand(token, params, moved=moved) for token in tokens[1:]]
        if operator == "not":
            return _opposite(results[0]) if len(results) == 1 else None
        if operator == "or":
            return _opposite(_all(_opposite(result) for result in results))
        return _all(results)
    # `range $key, $value := .map` and `with $x := .field` test what stands last.
    if len(tokens) > 1 and ("mark", ":=") in tokens:
        tokens = tokens[tokens.index(("mark", ":=")) + 1 :]
    return _operand(tokens[0], params, moved=moved) if len(tokens) == 1 else None


def _operand(token: tuple[str, str], params: Mapping[str, Any], *, moved: bool) -> bool | None:
    field = _root_field(*token, moved=moved)
    return bool(_value(field, params)) if field is not None else None


def _all(values: Iterable[bool | None]) -> bool | None:
    result: bool | None = True
    for value in values:
        result = _both(result, value)
    return result


def _both(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _opposite(value: bool | None) -> bool | None:
    return None if value is None else not value


def _value(field: str, params: Mapping[str, Any]) -> Any:
    value: Any = params
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
