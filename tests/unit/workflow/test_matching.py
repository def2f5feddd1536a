"""When an expected state is part of a live object."""

from __future__ import annotations

from typing import Any

import pytest

from knavtool.workflow.observing.matching import mismatches

CONDITIONS = [{"type": "Ready", "status": "True"}, {"type": "Disk", "status": "False", "reason": "Fine"}]


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1.0}, {"a": 1}),
        ({"a": None}, {}),
        ({"a": {"b": None}}, {"a": {}}),
        ({"a": {}}, {"a": {"x": 1}}),
        ({"a": [1, {"x": 1}]}, {"a": [1, {"x": 1, "y": 2}, 3]}),
        ({"conditions": [{"type": "Disk", "status": "False"}]}, {"conditions": CONDITIONS}),
        ({"containers": [{"name": "b", "image": "y"}]}, {"containers": [{"name": "a"}, {"name": "b", "image": "y"}]}),
        ({"limits": {"cpu": "1000m", "memory": "1Gi"}}, {"limits": {"cpu": "1", "memory": "1024Mi"}}),
        ({"capacity": {"nvidia.com/gpu": 8}}, {"capacity": {"nvidia.com/gpu": "8"}}),
        ({"a": []}, {"a": [1]}),
        ({"a": True}, {"a": True}),
    ],
)
def test_is_part(expected: Any, actual: Any) -> None:
    assert mismatches(expected, actual) == []


@pytest.mark.parametrize(
    ("expected", "actual", "said"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b: expected 1, actual 2"]),
        ({"a": 1}, {}, ["a: expected 1, actual absent"]),
        ({"a": None}, {"a": 1}, ["a: expected absent, actual 1"]),
        ({"a": {}}, {"a": 1}, ["a: expected {}, actual 1"]),
        ({"a": {}}, {}, ["a: expected {}, actual absent"]),
        ({"a": 1}, {"a": "1"}, ['a: expected 1, actual "1"']),
        ({"a": 1}, {"a": 1.5}, ["a: expected 1, actual 1.5"]),
        ({"a": True}, {"a": 1}, ["a: expected true, actual 1"]),
        ({"a": 1}, {"a": True}, ["a: expected 1, actual true"]),
        ({"a": 1}, {"a": None}, ["a: expected 1, actual absent"]),
        ({"a": [1, 2]}, {"a": [1]}, ["a[1]: expected 2, actual absent, the list has 1 items"]),
        ({"a": [1]}, {"a": {"x": 1}}, ['a: expected [1], actual {"x": 1}']),
        (
            {"conditions": [{"type": "Ready", "status": "False"}]},
            {"conditions": CONDITIONS},
            ['conditions[type=Ready].status: expected "False", actual "True"'],
        ),
        (
            {"conditions": [{"type": "Gone"}]},
            {"conditions": CONDITIONS},
            ['conditions[type=Gone]: expected {"type": "Gone"}, actual absent, present: Ready, Disk'],
        ),
        ({"cpu": "1000m"}, {"cpu": "1"}, ['cpu: expected "1000m", actual "1"']),
        ({"limits": {"cpu": "1"}}, {"limits": {"cpu": "2"}}, ['limits.cpu: expected "1", actual "2"']),
        ({"b": 1, "a": 1}, {}, ["a: expected 1, actual absent", "b: expected 1, actual absent"]),
    ],
)
def test_says_where_it_is_not(expected: Any, actual: Any, said: list[str]) -> None:
    assert [str(mismatch) for mismatch in mismatches(expected, actual)] == said
