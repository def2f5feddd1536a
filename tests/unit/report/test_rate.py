"""The rate of the last seconds."""

from __future__ import annotations

import pytest

from knavtool.report.rate import WINDOW, Rate


def test_a_steady_flow() -> None:
    rate = Rate(100.0)
    for tick in range(1, 1001):
        rate.put(100 + tick / 10, tick * 4)
    assert rate.at(200.0) == pytest.approx(40, rel=0.1)


def test_it_forgets_what_is_long_past() -> None:
    rate = Rate(0.0)
    rate.put(1.0, 1000)
    rate.put(60.0, 1010)
    assert rate.at(60.0) == pytest.approx(10 / WINDOW)
    assert rate.at(60.0 + 2 * WINDOW) is None


def test_too_little_time_gives_none() -> None:
    rate = Rate(0.0)
    rate.put(0.1, 1000)
    assert rate.at(0.1) is None


def test_what_goes_back_has_no_rate() -> None:
    rate = Rate(0.0)
    rate.put(1.0, 200)
    rate.put(8.0, 150)
    assert rate.at(8.0) is None


def test_a_burst_of_calls_is_kept_small() -> None:
    rate = Rate(0.0)
    for number in range(100_000):
        rate.put(number / 10_000, number)
    assert len(rate._marks) < 50
    assert rate.at(10.0) == pytest.approx(10_000, rel=0.1)
