"""Versions, their order, and ranges of them."""

from __future__ import annotations

import pytest

from knavtool.documents.version import exact, nearest, within


@pytest.mark.parametrize(
    ("version", "bounds", "inside"),
    [
        ("v0.15.0", "v0.15.0", True),
        ("v0.15.1", "v0.15.0", False),
        ("0.15.0", "=v0.15.0", True),
        ("v0.15.0", ">=v0.15.0", True),
        ("v0.15.0", ">v0.15.0", False),
        ("v0.9.0", "<v0.15.0", True),
        ("v0.15.0", "<=v0.15.0", True),
        ("v0.17.0", ">=v0.15.0 <v0.19.0", True),
        ("v0.19.0", ">=v0.15.0 <v0.19.0", False),
        ("v1.38.0-beta.0", ">=v1.38.0", False),
        ("v1.38.0-beta.0", ">=v1.38.0-0", True),
        ("v1.38.0-beta.0", "<v1.38.0-0", False),
    ],
)
def test_ranges(version: str, bounds: str, inside: bool) -> None:
    assert within(version, bounds) is inside


def test_what_is_no_range() -> None:
    with pytest.raises(ValueError, match=r"'~1' is not a bound such as >=v1.2.3"):
        within("v1.0.0", ">=v1.0.0 ~1")


def test_a_range_of_one_version() -> None:
    assert exact("v1.2.3-rc.1") == "v1.2.3-rc.1"
    assert exact(">=v1.2.3") is None
    assert exact("v1.2.3 <v2.0.0") is None


@pytest.mark.parametrize(
    ("version", "found"),
    [("v0.16.0", "v0.15.0"), ("v0.18.9", "v0.17.0"), ("v1.0.0", "v0.15.0"), ("v0.99.0", "v0.19.0")],
)
def test_the_nearest(version: str, found: str) -> None:
    assert nearest(version, ["v0.15.0", "v0.17.0", "v0.19.0"]) == found
    assert nearest(version, []) == ""
