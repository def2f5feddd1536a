"""Values and texts that nobody expects, and changes that make good documents odd."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import DrawFn, SearchStrategy

TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "-",
            "~",
            "~nobody/x",
            "${size}",
            "${Size}",
            "$${size}",
            "a${size}b",
            "${}",
            "${a.b}",
            "${empty}",
            "${all}",
            "{{._NAME_}}",
            "{{.missing}}",
            "{{",
            "{{ if }}",
            "}}",
            "[0-9",
            "(?=x)",
            "1/0",
            "2 *",
            "9" * 400,
            "1m" * 300,
            "-5s",
            "0s",
            "1e9",
            "0x10",
            "yes",
            "2024-01-01",
            "../../../x",
            "/dev/null",
            "/proc/self/mem",
            "x" * 5000,
            "a/b/c",
            "job\n",
            "a\0b",
            "\x1b[31m",
            "\ufeff",
            "\u202eabc",
            "é",
            "\U0001f600",
            "a\u0301",
            "\ud800",
            "8Gb",
            "register",
            "job",
        ]
    ),
    st.text(max_size=8),
)
NUMBERS = st.one_of(
    st.sampled_from([0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 0.0, -0.0, 1.5, 1e300, 1e-300, 5e-324]),
    st.integers(-3, 12),
)
LEAVES: SearchStrategy[Any] = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
KEYS = st.sampled_from(
    [
        "id",
        "type",
        "params",
        "tasks",
        "foreach",
        "timeout",
        "name",
        "nodes",
        "count",
        "state",
        "x",
        "",
        "a b",
        "é",
        "<<",
    ]
)
VALUES: SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)


def mostly(valid: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """What is valid, and once in a while what is not."""
    return st.integers(0, 40).flatmap(lambda number: VALUES if number == 40 else valid)


def mostly_key(valid: SearchStrategy[str]) -> SearchStrategy[str]:
    """The same for the keys of a map."""
    return st.integers(0, 40).flatmap(lambda number: KEYS | TEXTS if number == 40 else valid)


@st.composite
def changed(draw: DrawFn, document: Any) -> Any:
    """A copy of a document with up to three changes somewhere in it."""
    data = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(data))
        if not places:
            break
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        _change(draw, holder, key)
    return data


def _places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Everything that can be replaced: (what holds it, its key)."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in pairs:
        yield data, key
        yield from _places(value)


def _change(draw: DrawFn, holder: Any, key: Any) -> None:
    value = holder[key]
    match draw(
        st.sampled_from(["replace", "drop", "rename", "wrap", "list", "text", "twice", "shared", "deep", "null"])
    ):
        case "replace":
            holder[key] = draw(VALUES)
        case "drop":
            del holder[key]
        case "rename" if isinstance(holder, dict):
            holder[draw(KEYS | TEXTS)] = holder.pop(key)
        case "wrap":
            holder[key] = {draw(KEYS): value}
        case "list":
            holder[key] = [value]
        case "text":
            holder[key] = json.dumps(value)
        case "twice" if isinstance(holder, list):
            # The same object twice is an alias in YAML.
            holder.insert(key, value if draw(st.booleans()) else copy.deepcopy(value))
        case "shared":
            holder[key] = {"one": value, "other": [value, value]}
        case "deep":
            for _ in range(draw(st.sampled_from([2, 20, 100]))):
                value = [value]
            holder[key] = value
        case _:
            holder[key] = None


@st.composite
def scrawled(draw: DrawFn, text: str) -> str:
    """YAML text with a few characters or lines that do not belong there."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        match draw(st.sampled_from(["insert", "cut", "line", "indent", "tail"])):
            case "insert":
                text = text[:at] + draw(st.sampled_from(_SCRAWLS)) + text[at:]
            case "cut":
                text = text[:at] + text[at + draw(st.integers(1, 12)) :]
            case "tail":
                text = text[:at]
            case "line":
                lines = text.split("\n")
                number = draw(st.integers(0, len(lines) - 1))
                lines.insert(number, lines[draw(st.integers(0, len(lines) - 1))])
                text = "\n".join(lines)
            case _:
                lines = text.split("\n")
                number = draw(st.integers(0, len(lines) - 1))
                lines[number] = "  " + lines[number]
                text = "\n".join(lines)
    return text


_SCRAWLS = [
    *("&a ", "*a", "*a ", "&a [*a]", "<<: *a\n", "!!python/object:os.system x", "!x ", "!!int a", "!!binary x"),
    *("- ", "? ", ": ", "#", '"', "'", "|\n", ">-\n", "{", "}", "[", "]", ",", "---\n", "...\n", "%YAML 1.1\n", "%"),
    *("\t", "\r", "\r\n", "\0", "\x07", "\x85", "\u2028", "\ufeff", "\ud800", "\U0001f600", "é", "~", "null", ".inf"),
    *(".nan", "1e999", "0x", "0o9", "1_0", "${size}", "$${x}", "${nobody}", "9" * 5000, "[" * 300, "{a: " * 300),
    "a: &x [1,1,1,1,1,1,1,1,1]\nb: &y [*x,*x,*x,*x,*x,*x,*x,*x]\nc: &z [*y,*y,*y,*y,*y,*y]\nd: [*z,*z,*z,*z,*z]\n",
]
