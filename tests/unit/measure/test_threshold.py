"""Thresholds: how they are written, and when they are missed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from knavtool.errors import UsageError
from knavtool.measure.names import all_names, unit_of
from knavtool.measure.table import About, Measure, Measured
from knavtool.measure.threshold import judge, make, parse, parse_value


def measured(value: float | None, *, name: str = "gang.wait.p95", n: int = 50, why: str = "") -> Measured:
    about = About(name="run", began="", seconds=1.0, clock="watch", whole=True)
    return Measured(
        about=about, measures={name: Measure(name=name, value=value, unit=unit_of(name), n=n, why=why)}, tables={}
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("gang.wait.p95<=20s", 20),
        (" gang.wait.p95 <= 1m30s ", 90),
        ("gang.wait.p95>=2.5", 2.5),
        ("gpu.occupancy.mean>80%", 0.8),
        ("gpu.occupancy.mean!=0.5", 0.5),
        ("pods.count==10", 10),
    ],
)
def test_values_are_in_the_unit_of_the_measure(text: str, value: float) -> None:
    assert parse(text).value == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gang.wait.p95", "expected MEASURE, one of <=, <, >=, >, ==, !=, and a value"),
        ("gang.wate.p95<=1s", "no measure 'gang.wate.p95'; did you mean 'gang.wait.p95'?"),
        ("pods.count<=3s", "'3s' is not a number of pods"),
        ("gang.wait.p95<=80%", "'80%' is not a duration such as 20s"),
        ("gpu.occupancy.mean>=high", "'high' is not a number or a percentage such as 80%"),
    ],
)
def test_what_is_no_threshold_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert message in caught.value.message
    assert caught.value.message.startswith(f"--threshold {text!r}: ")


def test_every_name_has_a_unit() -> None:
    for name in all_names():
        assert unit_of(name)
        assert parse_value(1, unit_of(name)) == 1


def test_a_threshold_is_met_or_missed() -> None:
    threshold = make("gang.wait.p95", "<=", "20s")
    met = judge(threshold, measured(12.5))
    assert (met.passed, met.message) == (True, "gang.wait.p95 is 12.5 s (n=50), <= 20s")
    missed = judge(threshold, measured(20.5))
    assert not missed.passed
    assert missed.message == "gang.wait.p95 is 20.5 s (n=50), expected <= 20s; see 'Gangs and Jobs' in the report"
    assert not judge(threshold, measured(None, n=0, why="there were no gangs")).passed


@pytest.mark.parametrize(("statistic", "needed"), [("p50", 2), ("p90", 10), ("p95", 20), ("p99", 100), ("max", 1)])
def test_a_percentile_needs_samples(statistic: str, needed: int) -> None:
    name = f"gang.wait.{statistic}"
    threshold = make(name, "<=", "20s")
    assert judge(threshold, measured(1, name=name, n=needed)).passed
    few = judge(threshold, measured(1, name=name, n=needed - 1))
    assert not few.passed
    assert "of too few samples" in few.message or needed == 1
    assert judge(make(name, "<=", "20s", samples=1), measured(1, name=name, n=max(needed - 1, 1))).passed


def test_a_saturated_run_meets_nothing_unless_that_is_allowed() -> None:
    found = measured(1)
    found = replace(found, about=replace(found.about, saturated=("all 2 processors were busy",)))
    missed = judge(make("gang.wait.p95", "<=", "20s"), found)
    assert not missed.passed
    assert "the run was saturated: all 2 processors were busy; set allowSaturated: true" in missed.message
    assert judge(make("gang.wait.p95", "<=", "20s", allow_saturated=True), found).passed
