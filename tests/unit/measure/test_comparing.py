"""Two runs compared: which way measures moved, what is too little to tell, and what must be known."""

from __future__ import annotations

import bisect
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knavtool.errors import UsageError
from knavtool.measure.cautions import cautions, setups
from knavtool.measure.comparing import Change, Comparison, Run, Word, chosen, compare, matching
from knavtool.measure.measuring import measure_file
from knavtool.measure.names import DISTRIBUTIONS, GOOD, SINGLE, all_names, good, unit_of
from knavtool.measure.statistics import ks_distance
from knavtool.measure.table import About, Measure
from support.simulated import run_of, write

ABOUT = About(name="run", began="", seconds=60.0, clock="audit", whole=True, passed=True, lag_p95=0.004)
SWAPPED = {Word.BETTER: Word.WORSE, Word.WORSE: Word.BETTER}


def run(about: About | None = ABOUT, n: int = 500, **values: float | None) -> Run:
    """A run with these measures, named with `_` for `.`."""
    names = {name.replace("_", "."): value for name, value in values.items()}
    return Run(label="x", about=about, measures={name: measure(name, value, n) for name, value in names.items()})


def measure(name: str, value: float | None, n: int) -> Measure:
    return Measure(name=name, value=value, unit=unit_of(name), n=n, why="" if value is not None else "nobody knows")


def change(name: str, before: Run, after: Run) -> Change:
    return next(one for one in compare(before, after).changes if one.name == name)


def moved(name: str, before: float | None, after: float | None, *, n: int = 500, about: About | None = ABOUT) -> Change:
    key = name.replace(".", "_")
    return change(name, run(about, n, **{key: before}), run(about, n, **{key: after}))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    directory = tmp_path_factory.mktemp("runs")
    made = {"a": run_of(1, pods=120), "b": run_of(2, pods=120, nodes=12, preemptions=0.1)}
    found = [Run.of(name, measure_file(write(directory / name, facts))) for name, facts in made.items()]
    return found[0], found[1]


_VALUES = st.one_of(st.none(), st.just(0.0), st.floats(0.0, 1e-2), st.floats(0.0, 1e6), st.integers(0, 50).map(float))
_MEASURED = st.dictionaries(st.sampled_from(all_names()), st.tuples(_VALUES, st.integers(0, 300)))
_ABOUTS = st.sampled_from([None, ABOUT, replace(ABOUT, clock="watch", lag_p95=None)])


@st.composite
def _runs(draw: st.DrawFn) -> Run:
    measures = {name: measure(name, value, n) for name, (value, n) in draw(_MEASURED).items()}
    return Run(label="x", about=draw(_ABOUTS), measures=measures)


@given(_runs(), _runs())
def test_swapped_runs_swap_better_and_worse(one: Run, other: Run) -> None:
    there, back = compare(one, other), compare(other, one)
    assert [change.name for change in there.changes] == all_names()
    for forth, reverse in zip(there.changes, back.changes, strict=True):
        assert reverse.word is SWAPPED.get(forth.word, forth.word)
        if forth.difference is not None:
            assert reverse.difference == -forth.difference


@given(_runs())
def test_a_run_is_the_same_as_itself(one: Run) -> None:
    for found in compare(one, one).changes:
        assert found.word is (Word.UNKNOWN if found.after.value is None else Word.SAME), found


def test_a_recording_is_the_same_as_itself(runs: tuple[Run, Run]) -> None:
    found = compare(runs[0], runs[0])
    known = [one for one in found.changes if one.after.value is not None]
    assert len(known) > 80
    assert {one.word for one in known} == {Word.SAME}
    assert [one.value for one in found.distances] == [0, 0]
    assert chosen(found) == []
    assert cautions(found) == []


def test_recordings_are_told_apart_in_both_directions(runs: tuple[Run, Run]) -> None:
    there, back = compare(*runs), compare(*reversed(runs))
    assert there.count(Word.BETTER) == back.count(Word.WORSE) > 0
    assert there.count(Word.WORSE) == back.count(Word.BETTER) > 0
    assert there.count(Word.MOVED) == back.count(Word.MOVED) > 0
    assert {one.name for one in chosen(there)} == {one.name for one in chosen(back)}


def test_every_measure_says_which_way_is_better() -> None:
    assert set(GOOD) == {*SINGLE, *DISTRIBUTIONS}
    assert {good(name) for name in all_names()} == {"lower", "higher", ""}


@pytest.mark.parametrize(
    ("name", "before", "after", "word"),
    [
        ("gang.wait.p95", 20.0, 10.0, Word.BETTER),
        ("gang.wait.p95", 10.0, 20.0, Word.WORSE),
        ("gpu.occupancy.mean", 0.5, 0.8, Word.BETTER),
        ("gpu.occupancy.mean", 0.8, 0.5, Word.WORSE),
        ("preemptions.count", 0, 3, Word.MOVED),
        ("preemptions.lost", 0, 3, Word.WORSE),
        ("makespan", 100.0, 100.9, Word.SAME),
        ("makespan", 100.0, 101.1, Word.WORSE),
        ("pods.bound", 1000, 999, Word.MOVED),  # a count is exact
        ("requests.count", 1000, 999, Word.SAME),
        ("pod.wait.min", 0.0010, 0.0019, Word.SAME),  # less than a millisecond
        ("pod.wait.min", 0.0010, 0.0021, Word.WORSE),
        ("gang.wait.min", 0.001, 0.0049, Word.SAME),  # less than the lag of the watch
        ("gang.wait.min", 0.001, 0.0051, Word.WORSE),
        ("gang.wait.p95", None, 1.0, Word.UNKNOWN),
        ("gang.wait.p95", 1.0, None, Word.UNKNOWN),
    ],
)
def test_words(name: str, before: float | None, after: float | None, word: Word) -> None:
    assert moved(name, before, after).word is word


def test_a_watch_whose_lag_is_not_known_may_be_late() -> None:
    watch = replace(ABOUT, clock="watch", lag_p95=None)
    found = moved("pod.wait.min", 0.001, 0.009, about=watch)
    assert (found.word, found.why) == (Word.SAME, "the clock cannot tell 10 ms apart")
    assert moved("pod.wait.min", 0.001, 0.012, about=watch).word is Word.WORSE
    assert moved("pod.wait.min", 0.001, 0.009, about=None).word is Word.SAME


def test_a_percentile_of_few_samples_says_nothing() -> None:
    found = moved("gang.wait.p95", 1.0, 2.0, n=19)
    assert (found.word, found.why) == (Word.UNKNOWN, "of too few samples: expected 20 or more")
    assert moved("gang.wait.p95", 1.0, 2.0, n=20).word is Word.WORSE
    assert moved("gang.wait.max", 1.0, 2.0, n=1).word is Word.WORSE
    assert moved("preemptions.lost", 1.0, 0.0, n=0).word is Word.BETTER


def test_why_a_measure_is_unknown() -> None:
    assert moved("gang.wait.p95", None, 1.0).why == "A: nobody knows"
    assert moved("gang.wait.p95", None, None).why == "nobody knows"
    assert moved("makespan", 1, 1).before.why == ""
    assert change("makespan", run(), run()).why == "x does not have it"


def test_differences() -> None:
    found = moved("makespan", 50.0, 40.0)
    assert (found.difference, found.relative) == (-10.0, -0.2)
    assert moved("evictions.count", 0, 3).relative is None
    assert moved("makespan", 1.0, None).difference is None


def test_measures_are_chosen() -> None:
    found = compare(run(makespan=1, pods_count=2, gang_wait_max=3), run(makespan=1, pods_count=3, gang_wait_max=5))
    assert [one.name for one in chosen(found)] == ["gang.wait.max", "pods.count"]
    assert [one.name for one in chosen(found, every=True)] == all_names()
    assert [one.name for one in chosen(found, matching(["gang.wait", "makespan"]))] == [
        *sorted(f"gang.wait.{one}" for one in ("mean", "min", "p50", "p90", "p95", "p99", "max")), "makespan",
    ]  # fmt: skip
    with pytest.raises(UsageError, match=r"--measure 'gang.wate': no measure of that name; did you mean 'gang.wait'"):
        matching(["gang.wate"])


@given(st.lists(st.integers(0, 20), min_size=1), st.lists(st.integers(0, 20), min_size=1))
def test_the_distance_is_the_largest_gap_between_the_shares(one: list[float], other: list[float]) -> None:
    one, other = sorted(one), sorted(other)

    def apart(value: float) -> float:
        return abs(bisect.bisect_right(one, value) / len(one) - bisect.bisect_right(other, value) / len(other))

    distance, at = ks_distance(one, other)
    assert distance == max(map(apart, [*one, *other])) == apart(at)
    assert ks_distance(other, one) == (distance, at)


def test_few_samples_have_no_distance(runs: tuple[Run, Run], tmp_path: Path) -> None:
    small = Run.of("small", measure_file(write(tmp_path / "small", run_of(1, pods=12))))
    assert compare(small, runs[1]).distances == []


def told(before: Run, after: Run) -> list[str]:
    return cautions(compare(before, after))


def test_what_is_not_alike_is_told() -> None:
    one = run(pods_count=10, gpu_capacity=8, n=1)
    about = replace(ABOUT, name="other", clock="watch", saturated=["busy"], notes=["a gap"], passed=False)
    found = told(one, run(about, 2, pods_count=12, pods_bound=11, gpu_capacity=16))
    assert found == [
        "different workflows: A ran run, B other",
        "different clocks: A has the moments of the audit log, B those of the watch; B's are later by its lag",
        "different numbers of pods: 10 in A, 12 in B",
        "different numbers of GPUs: 8 in A, 16 in B",
        "different numbers of nodes: 1 in A, 2 in B",
        "B: 1 of 12 pods were never bound, so their waits are not counted",
        "B did not pass",
        "B was saturated, so the scheduler was not the limit: busy",
        "B: a gap",
    ]


def test_what_is_not_known_of_a_run_is_told() -> None:
    assert told(run(None), run()) == [
        "A: x does not say by which clock its moments are, nor whether the run was saturated"
    ]
    assert told(run(), run(replace(ABOUT, passed=None))) == ["B did not end"]


def test_surroundings_that_differ() -> None:
    one = run(replace(ABOUT, environment={"cores": "2", "knavtool": "1", "server": "v1"}))
    other = run(replace(ABOUT, environment={"cores": "4", "knavtool": "1", "context": "kind"}))
    comparison = compare(one, other)
    assert "different machines: A had 2 processors, B 4" in cautions(comparison)
    assert setups(comparison) == [("server", "v1", ""), ("context", "", "kind"), ("cores", "2", "4")]


def test_components_that_differ(runs: tuple[Run, Run]) -> None:
    def with_component(one: Run, *row: str) -> Run:
        tables = dict(one.tables or {})
        return replace(one, tables=tables | {"components": replace(tables["components"], rows=[row])})

    found = Comparison(
        before=with_component(runs[0], "kai", "v1", "qps=50", "scoring=MostAllocated"),
        after=with_component(runs[1], "kai", "v2", "", ""),
        changes=(),
    )
    assert setups(found) == [("kai", "v1 qps=50 scoring=MostAllocated", "v2")]
    assert "different settings of kai: scoring=MostAllocated in A, those of its record in B" in cautions(found)
    assert not any("settings" in one for one in cautions(replace(found, after=found.before)))
