"""Kubernetes quantities."""

from __future__ import annotations

import json
import random
import re
from fractions import Fraction

import pytest

from knavtool import resources
from knavtool.documents.quantity import equal, parse, suggestion


def is_quantity(text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("8", 8),
        ("+8", 8),
        ("-8", -8),
        ("5.", 5),
        (".5", Fraction(1, 2)),
        ("500m", Fraction(1, 2)),
        ("1u", Fraction(1, 10**6)),
        ("1n", Fraction(1, 10**9)),
        ("1k", 1000),
        ("1.5G", 1_500_000_000),
        ("1Ki", 1024),
        ("0.5Gi", 2**29),
        ("2Ti", 2**41),
        ("1E", 10**18),
        ("1Ei", 2**60),
        ("1e3", 1000),
        ("1E3", 1000),
        ("12e-1", Fraction(6, 5)),
        ("196692052Ki", 196692052 * 1024),
    ],
)
def test_values(text: str, value: Fraction | int) -> None:
    assert is_quantity(text)
    assert parse(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Gi",
        "8Gb",
        "8GB",
        "8gi",
        "8K",
        "8 Gi",
        "1,5",
        "1.2.3",
        "e3",
        "8e",
        "--8",
        "8Gi\n",
        "\u0663",
        "0x10",
        "1e9999999",
    ],
)
def test_what_is_no_quantity(text: str) -> None:
    assert not is_quantity(text)
    with pytest.raises(ValueError, match="is not a quantity"):
        parse(text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1", "1000m", True),
        ("1Gi", "1024Mi", True),
        ("0.5", "500m", True),
        ("1e3", "1k", True),
        ("1G", "1Gi", False),
        ("nonsense", "nonsense", True),
        ("nonsense", "1", False),
    ],
)
def test_equal(one: str, other: str, same: bool) -> None:
    assert equal(one, other) is same
    assert equal(other, one) is same


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("8Gb", "8G or 8Gi"),
        ("8GB", "8G or 8Gi"),
        ("8GiB", "8Gi"),
        ("8gi", "8Gi"),
        ("8g", "8G or 8Gi"),
        ("1.5 TB", "1.5T or 1.5Ti"),
        ("8K", "8k or 8Ki"),
        ("many", ""),
        ("-8Gb", ""),
    ],
)
def test_suggestions(text: str, better: str) -> None:
    assert suggestion(text) == better
    assert all(is_quantity(one) for one in better.split(" or ") if one)


def test_the_schema_and_the_code_mean_the_same_text() -> None:
    values = json.loads(resources.schema("values").read_text())
    pattern = re.compile(values["$defs"]["quantity"]["anyOf"][0]["pattern"])
    chance = random.Random(3)
    seen = {True: 0, False: 0}
    for _ in range(20_000):
        text = "".join(chance.choices("0123456789.+eEmkKMGTPinu", k=chance.randrange(1, 6)))
        assert (pattern.search(text) is not None) is is_quantity(text), text
        seen[is_quantity(text)] += 1
    assert min(seen.values()) > 500
