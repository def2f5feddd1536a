"""Durations as Go writes them."""

from __future__ import annotations

import random
import re

import pytest

from knavtool.documents.duration import is_duration, parse_duration
from knavtool.documents.schema import checked
from knavtool.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("300ms", 0.3),
        ("5s", 5),
        ("1m30s", 90),
        ("2h", 7200),
        ("1h1m1s1ms", 3661.001),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("5.s", 5),
        ("250us", 0.00025),
        ("250\u00b5s", 0.00025),
        ("250\u03bcs", 0.00025),
        ("10ns", 1e-8),
        ("-5s", -5),
        ("+5s", 5),
        ("30s1m", 90),
    ],
)
def test_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["", "5", "s", "5 s", "1d", "1w", "5S", "1h-5m", "1m30", ".s", "5s\n", "\u0665s", "+", "1,5s"]
)
def test_what_is_no_duration(text: str) -> None:
    assert not is_duration(text)
    with pytest.raises(UsageError, match="is not a duration; write a number with a unit, like 300ms, 5s"):
        parse_duration(text)


def test_longer_than_go_can_count() -> None:
    with pytest.raises(UsageError, match="too long"):
        parse_duration("2562048h")
    assert parse_duration("2562047h") > 0


def test_sums_of_parts() -> None:
    chance = random.Random(5)
    for _ in range(200):
        hours, minutes, seconds = (chance.randrange(100) for _ in range(3))
        assert parse_duration(f"{hours}h{minutes}m{seconds}s") == 3600 * hours + 60 * minutes + seconds


def test_the_schema_and_the_code_mean_the_same_text() -> None:
    pattern = re.compile(checked("workflow")["$defs"]["duration"]["pattern"])
    chance = random.Random(4)
    seen = {True: 0, False: 0}
    for _ in range(20_000):
        text = "".join(chance.choices("0159.+-hmsnu", k=chance.randrange(1, 6)))
        assert (pattern.search(text) is not None) is is_duration(text), text
        seen[is_duration(text)] += 1
    assert min(seen.values()) > 500


@pytest.mark.parametrize("text", ["0", "0s", "-5s", "-0s"])
def test_an_option_for_time_that_is_waited_needs_some(text: str) -> None:
    with pytest.raises(UsageError, match=f"--timeout {text}: must be longer than zero"):
        parse_duration(text, option="--timeout")
    if not text.startswith("-5"):
        assert parse_duration(text, option="--drain", zero=True) == 0
    else:
        with pytest.raises(UsageError, match="--drain -5s: must not be negative"):
            parse_duration(text, option="--drain", zero=True)


def test_an_option_is_named_with_what_is_no_duration() -> None:
    with pytest.raises(UsageError, match="--timeout: '5' is not a duration"):
        parse_duration("5", option="--timeout")
