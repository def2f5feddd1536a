"""One configuration over another."""

from __future__ import annotations

from typing import Any

import pytest

from knavtool.settings.merging import merged

OLD = {"a": {"b": 1, "c": 2}, "list": [1, 2], "text": "x"}


@pytest.mark.parametrize(
    ("below", "above", "expected"),
    [
        (OLD, {}, OLD),
        (OLD, {"a": {"b": 3}}, OLD | {"a": {"b": 3, "c": 2}}),
        (OLD, {"a": {"b": None}}, OLD | {"a": {"c": 2}}),
        (OLD, {"text": None, "nothing": None}, {"a": {"b": 1, "c": 2}, "list": [1, 2]}),
        (OLD, {"list": [3]}, OLD | {"list": [3]}),
        (OLD, {"list": {"0": 3}}, OLD | {"list": {"0": 3}}),
        (OLD, {"new": {"kept": 1, "gone": None}}, OLD | {"new": {"kept": 1}}),
        (
            [{"name": "a", "x": 1, "y": 1}, {"name": "b"}],
            [{"name": "c"}, {"name": "a", "x": 2, "y": None}],
            [{"name": "a", "x": 2}, {"name": "b"}, {"name": "c"}],
        ),
        (
            [{"schedulerName": "a", "plugins": {"score": {"enabled": [{"name": "p", "weight": 1}]}}}],
            [{"schedulerName": "a", "plugins": {"score": {"enabled": [{"name": "p", "weight": 5}]}}}],
            [{"schedulerName": "a", "plugins": {"score": {"enabled": [{"name": "p", "weight": 5}]}}}],
        ),
        # One item without a name, or none at all, and it is a list like any other.
        ([{"name": "a"}, {"id": "b"}], [{"name": "c"}], [{"name": "c"}]),
        ([{"name": "a"}], [{"schedulerName": "a"}], [{"schedulerName": "a"}]),
        ([{"name": "a"}], [], []),
        ([{"name": "a"}], ["a"], ["a"]),
    ],
)
def test_the_rules(below: Any, above: Any, expected: Any) -> None:
    assert merged(below, above) == expected


def test_what_was_given_is_not_changed() -> None:
    below: dict[str, Any] = {"a": {"list": [{"name": "x", "v": 1}]}}
    merged(below, {"a": {"list": [{"name": "x", "v": 2}], "b": 1}})
    assert below == {"a": {"list": [{"name": "x", "v": 1}]}}
