"""Paths into a configuration."""

from __future__ import annotations

from typing import Any

import pytest

from knavtool.errors import UsageError
from knavtool.settings.paths import Match, find, parse, path_of, put, written

TREE: dict[str, Any] = {
    "a": {"b": 1},
    "list": [{"name": "x", "v": 1}, {"name": "y"}],
    "plain": [1, 2],
    "off": False,
    "a.b/c": {"d": 1},
}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("a.b", ("a", "b")),
        ("tiers[0].plugins[name=gang].enable-it", ("tiers", 0, "plugins", Match("name", "gang"), "enable-it")),
        ('a."b.c".d', ("a", "b.c", "d")),
        ('"queues.yaml"', ("queues.yaml",)),
        ("a[0][1]", ("a", 0, 1)),
        ('list[name="a]b"].c', ("list", Match("name", "a]b"), "c")),
        ("groupKindConcurrency.Job/batch", ("groupKindConcurrency", "Job/batch")),
    ],
)
def test_a_path_is_read_and_written(text: str, path: Any) -> None:
    assert parse(f"{text}=1=2") == (path, "=1=2")
    assert path_of(text) == path
    assert path_of(written(path)) == path


@pytest.mark.parametrize("text", ["", "=1", ".a", "a..b", "a.", "[0]", "a[", "a[x]", "a[0]b", 'a."b', "a b"])
def test_what_is_no_path_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="path") as caught:
        path_of(text)
    assert "[name=x]" in caught.value.hint


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("a.b", 2, {"a": {"b": 2}}),
        ("a.b", None, {"a": {}}),
        ("a", {"x": 1}, {"a": {"x": 1}}),
        ("new.deep.er", 1, {"new": {"deep": {"er": 1}}}),
        ("list[name=y].v", 2, {"list": [{"name": "x", "v": 1}, {"name": "y", "v": 2}]}),
        ("list[name=z].v", 3, {"list": [{"name": "x", "v": 1}, {"name": "y"}, {"name": "z", "v": 3}]}),
        ("list[name=x]", None, {"list": [{"name": "y"}]}),
        ("list[name=y]", {"w": 1}, {"list": [{"name": "x", "v": 1}, {"name": "y", "w": 1}]}),
        ("list[0].v", 5, {"list": [{"name": "x", "v": 5}, {"name": "y"}]}),
        ("plain[1]", 3, {"plain": [1, 3]}),
        ("plain[1]", None, {"plain": [1]}),
        ("fresh[name=x].v", 1, {"fresh": [{"name": "x", "v": 1}]}),
        ('"a.b/c".d', 2, {"a.b/c": {"d": 2}}),
    ],
)
def test_a_value_is_put(path: str, value: Any, expected: Any) -> None:
    before = repr(TREE)
    made = put(TREE, path_of(path), value)
    assert made == TREE | expected
    assert repr(TREE) == before
    if value is not None and not isinstance(value, dict):
        assert find(made, path_of(path)) == value


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("a.b.c", "a.b is the value 1, so it has no key c"),
        ("off.x", "off is the value false, so it has no key x"),
        ("a[0]", r"a is a map, so it has no item \[0\]"),
        ("list.name", "list is a list, so it has no key name"),
        ("plain[2]", r"plain has 2 items, so there is no plain\[2\]"),
        ("a[name=x].y", r"a is a map, so it has no item \[name=x\]"),
        ("list[name=x]", r"list\[name=x\] is the value 1, expected a map"),
    ],
)
def test_a_path_that_leads_nowhere_is_told(path: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        put(TREE, path_of(path), 1)


@pytest.mark.parametrize("path", ["a.x", "a.b.c", "list[name=z]", "list[7]", "plain.x", "off[0]"])
def test_nothing_is_found_where_nothing_is(path: str) -> None:
    assert find(TREE, path_of(path)) is None
