"""Thresholds of a difference: how they are written, and when they are missed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from knavtool.errors import UsageError
from knavtool.measure.comparing import Run, compare
from knavtool.measure.names import unit_of
from knavtool.measure.relative import judge_relative, parse_relative
from knavtool.measure.table import About, Measure
from knavtool.measure.threshold import Verdict

ABOUT = About(name="run", began="", seconds=60.0, clock="audit", whole=True, passed=True)


def run(name: str, value: float | None, n: int, about: About | None = ABOUT) -> Run:
    measure = Measure(name=name, value=value, unit=unit_of(name), n=n, why="nobody knows")
    return Run(label="report.json", measures={name: measure}, about=about)


def judged(
    text: str,
    before: float | None,
    after: float | None,
    *,
    n: int = 500,
    about: About | None = ABOUT,
    allow: bool = False,
) -> Verdict:
    threshold = parse_relative(text, allow_saturated=allow)
    name = threshold.measure
    return judge_relative(threshold, compare(run(name, before, n), run(name, after, n, about)))


@pytest.mark.parametrize(
    ("text", "amount", "percent"),
    [
        ("gang.wait.p95<=+10%", 0.1, True),
        ("gpu.occupancy.mean>=-2%", -0.02, True),
        ("gpu.occupancy.mean >= -0.02", -0.02, False),
        ("makespan<=+5s", 5, False),
        ("makespan<=+1m30s", 90, False),
        ("makespan<=-500ms", -0.5, False),
        ("gangs.partial==0", 0, False),
        ("gangs.partial<=0%", 0, True),
        ("pods.bound>=-3", -3, False),
    ],
)
def test_differences(text: str, amount: float, percent: bool) -> None:
    found = parse_relative(text)
    assert (found.amount, found.percent) == (pytest.approx(amount), percent)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("makespan", "expected MEASURE, one of <=, <, >=, >, ==, !=, and a difference"),
        ("makespam<=+1s", "no measure 'makespam'; did you mean 'makespan'?"),
        ("makespan<=20s", "'20s' is no difference from A; it needs a sign, as in +10% or -2%"),
        ("makespan<=+5pods", "'5pods' is not a duration such as 20s"),
        ("makespan<=+-5s", "'+-5s' is no difference from A; it needs a sign, as in +10% or -2%"),
        ("makespan<=+1x%", "'+1x%' is no percentage"),
        ("pods.bound>=-3s", "'3s' is not a number of pods"),
    ],
)
def test_what_is_no_difference_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_relative(text)
    assert caught.value.message == f"--threshold {text!r}: {message}"


@pytest.mark.parametrize(
    ("text", "before", "after", "passed"),
    [
        ("gang.wait.p95<=+10%", 20, 22, True),
        ("gang.wait.p95<=+10%", 20, 22.1, False),
        ("gang.wait.p95<=-10%", 20, 18, True),
        ("gang.wait.p95<=-10%", 20, 19, False),
        ("gang.wait.p95<+0%", 20, 20, False),
        ("gpu.occupancy.mean>=-2%", 0.5, 0.49, True),
        ("gpu.occupancy.mean>=-2%", 0.5, 0.48, False),  # percent of A's value, not points
        ("gpu.occupancy.mean>=-0.02", 0.5, 0.48, True),
        ("makespan<=+5s", 0.1, 5.1, True),
        ("makespan<=+5s", 10, 15.1, False),
        ("gangs.partial<=+50%", 0, 1, False),
        ("gangs.partial==0", 2, 2, True),
    ],
)
def test_a_threshold_is_met_or_missed(text: str, before: float, after: float, passed: bool) -> None:
    assert judged(text, before, after).passed is passed


def test_messages() -> None:
    assert (
        judged("gang.wait.p95<=+10%", 20, 21).message == "gang.wait.p95 is 21 s (n=500), in A 20 s (n=500), <= A +10%"
    )
    missed = judged("gang.wait.p95<=+10%", 20, 23)
    assert missed.message == (
        "gang.wait.p95 is 23 s (n=500), in A 20 s (n=500), expected <= A +10%; see 'Gangs and Jobs' in the reports"
    )
    assert (missed.value, missed.n) == (23, 500)


def test_what_is_not_known_is_missed() -> None:
    for before, after, side in ((None, 1, "A"), (1, None, "B")):
        found = judged("makespan<=+5s", before, after, allow=True)
        assert (found.passed, found.message) == (False, f"makespan is unknown in {side}: nobody knows")


def test_few_samples_are_missed() -> None:
    found = judged("gang.wait.p95<=+10%", 20, 20, n=19)
    assert not found.passed
    assert found.message.endswith(", of too few samples: expected 20 or more")


def test_a_saturated_run_is_missed_unless_that_is_allowed() -> None:
    busy = replace(ABOUT, saturated=["all 2 processors were busy"])
    found = judged("makespan<=+5s", 20, 20, about=busy)
    assert not found.passed
    assert found.message.endswith("but B was saturated: all 2 processors were busy; --allow-saturated accepts it")
    assert judged("makespan<=+5s", 20, 20, about=busy, allow=True).passed


def test_a_run_that_may_have_been_saturated_is_missed_too() -> None:
    found = judged("makespan<=+5s", 20, 20, about=None)
    assert not found.passed
    assert "but report.json does not say whether B was saturated; --allow-saturated accepts it" in found.message
    assert judged("makespan<=+5s", 20, 20, about=None, allow=True).passed
