"""From repetitions to the result, its words and its files."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import orjson
import pytest
from jsonschema import Draft202012Validator

from knavtool import resources
from knavtool.bench import console, csv_file, files, json_file, markdown_file
from knavtool.bench.directory import Directory
from knavtool.bench.judge import Word
from knavtool.bench.judging import judge
from knavtool.bench.planning import Slot
from knavtool.bench.repetition import Status
from knavtool.bench.result import Outcome, Result
from knavtool.bench.running import Progress
from knavtool.bench.words import headline, more, word
from knavtool.errors import DocumentError
from support.benches import planned, progress, repetition, saved

FAST = [20.0, 20.4, 19.8, 20.1, 20.2]
SLOW = [24.0, 24.5, 23.9, 24.2, 24.1]


def judged(directory: Path, samples: dict[str, list[float | None]], **fields: object) -> Result:
    """The result of a bench whose contenders had these makespans."""
    bench = planned(directory / "bench", contenders=list(samples), measures=["makespan"], **fields)
    found = progress(bench, {name: {"makespan": values} for name, values in samples.items()})
    return judge(bench, found, Directory(directory))


def test_better_worse_same_and_unknown(tmp_path: Path) -> None:
    odd = [15.0, 30.0, 20.0, 28.0, 17.0]
    result = judged(tmp_path, {"A": FAST, "B": SLOW, "C": [*FAST[1:], FAST[0]], "D": odd})
    found = {one.contender: word(result, one) for one in result.cells}
    assert (found["A"], found["B"], found["C"]) == ("", "worse, +20 %", "same within 5 %")
    assert found["D"].startswith("cannot tell, +")
    assert more(result.cell("", "D", "makespan")).endswith(" repetitions would")
    assert more(result.cell("", "B", "makespan")) == ""
    assert headline(result) == "compared with A: 1 worse, 1 same, 1 cannot tell"
    assert not result.failed
    assert not result.certain


def test_rules_about_the_baseline(tmp_path: Path) -> None:
    verdict = [{"measure": "makespan", "worse-than-baseline": "10%"}]
    result = judged(tmp_path, {"A": FAST, "B": SLOW, "C": FAST, "D": [*FAST[:2], 30.0, 19.0, 24.0]}, verdict=verdict)
    outcomes = {one.contender: one.outcome for one in result.verdict}
    assert outcomes == {"B": Outcome.FAILED, "C": Outcome.PASSED, "D": Outcome.UNKNOWN}
    texts = {one.contender: (one.text, one.message) for one in result.verdict}
    assert texts["B"][0] == "makespan at most 10 % worse than A"
    assert texts["B"][1].startswith("+20 % (")
    assert texts["D"][1].endswith("repetitions of each would tell")
    assert result.failed
    assert headline(result) == ("1 of 3 rules broken; 1 of 3 rules cannot be decided with so few repetitions")


def test_more_may_be_better(tmp_path: Path) -> None:
    bench = planned(
        tmp_path / "bench",
        measures=["gpu.occupancy.mean"],
        verdict=[{"measure": "gpu.occupancy.mean", "worse-than-baseline": "10%"}],
    )
    high, low = [0.9, 0.91, 0.89, 0.9, 0.9], [0.7, 0.71, 0.7, 0.69, 0.7]
    found = progress(bench, {"A": {"gpu.occupancy.mean": high}, "B": {"gpu.occupancy.mean": low}})
    result = judge(bench, found, Directory(tmp_path))
    assert [one.outcome for one in result.verdict] == [Outcome.FAILED]
    assert result.cell("", "B", "gpu.occupancy.mean").comparison.word is Word.WORSE  # type: ignore[union-attr]


def test_rules_about_values(tmp_path: Path) -> None:
    verdict = [{"measure": "makespan", "value": "<= 22s"}, {"measure": "makespan", "value": 0}]
    result = judged(tmp_path, {"A": FAST, "B": [*FAST[:4], 25.0]}, verdict=verdict)
    found = [(one.contender, one.text, one.outcome, one.message) for one in result.verdict]
    assert found == [
        ("A", "makespan <= 22s in every repetition", Outcome.PASSED, "in 5 of 5 repetitions"),
        (
            "B",
            "makespan <= 22s in every repetition",
            Outcome.FAILED,
            "missed in 1 of 5 repetitions, at worst 25 s",
        ),
        ("A", "makespan == 0 in every repetition", Outcome.FAILED, "missed in 5 of 5 repetitions, at worst 20.4 s"),
        ("B", "makespan == 0 in every repetition", Outcome.FAILED, "missed in 5 of 5 repetitions, at worst 25 s"),
    ]


def test_a_measure_that_a_contender_cannot_give(tmp_path: Path) -> None:
    verdict = [{"measure": "makespan", "worse-than-baseline": "10%"}, {"measure": "makespan", "value": "< 1h"}]
    result = judged(tmp_path, {"A": FAST, "B": [None] * 5}, verdict=verdict)
    cell = result.cell("", "B", "makespan")
    assert (cell.summary, cell.comparison, cell.why) == (None, None, "no queue")
    assert [(one.contender, one.outcome) for one in result.verdict] == [
        ("B", Outcome.UNKNOWN),
        ("A", Outcome.PASSED),
        ("B", Outcome.UNKNOWN),
    ]
    assert "unknown" in "\n".join(console.lines(result))
    assert "unknown: no queue" in markdown_file.document(result)


def test_marked_attempts_are_run_again_and_told(tmp_path: Path) -> None:
    bench = planned(tmp_path / "bench", contenders="A", repetitions=2, measures=["makespan"])
    found = Progress(bench, list(bench.schedule()))
    first, second, third = found.slots
    assert found.missing(first)
    found.attempts[first] = [repetition(first, {"makespan": 1.0}, marks=["busy"])]
    assert not found.missing(first)  # a warm-up counts for nothing
    found.attempts[second] = [repetition(second, {"makespan": 50.0}, marks=["busy"])]
    assert found.missing(second)
    found.attempts[second].append(repetition(second, {"makespan": 20.0}, attempt=2))
    assert not found.missing(second)
    found.attempts[third] = [
        repetition(third, {"makespan": 60.0}, marks=["busy"]),
        repetition(third, {"makespan": 30.0}, attempt=2, marks=["late"]),
    ]
    assert not found.missing(third)
    result = judge(bench, found, Directory(tmp_path))
    cell = result.cell("", "A", "makespan")
    assert (cell.samples, cell.marked) == ({1: 20.0, 2: 30.0}, (2,))
    told = "\n".join(console.lines(result))
    assert "A, repetition 1, attempt 1 was run again: busy" in told
    assert "A, repetition 2 counts although it is marked: late" in told
    assert [one.counted for one in result.attempts] == [False, False, True, False, True]


def test_failed_repetitions_do_not_count(tmp_path: Path) -> None:
    bench = planned(tmp_path / "bench", repetitions=3, measures=["makespan"])
    found = progress(bench, {"A": {"makespan": FAST[:3]}, "B": {"makespan": SLOW[:3]}})
    bad = Slot("", "B", 2)
    found.attempts[bad] = [repetition(bad, {"makespan": 9.0}, status=Status.FAILED, message="done: 3 pods are pending")]
    result = judge(bench, found, Directory(tmp_path))
    assert result.cell("", "B", "makespan").samples == {1: 24.0, 3: 23.9}
    assert result.contenders[1].failure == "1 of 3 repetitions failed: done: 3 pods are pending"
    assert result.failed
    assert headline(result).startswith("B failed")


def test_a_cluster_that_does_not_come_up(tmp_path: Path) -> None:
    bench = planned(tmp_path / "bench", repetitions=3, measures=["makespan"])
    found = progress(bench, {"A": {"makespan": FAST[:3]}, "B": {"makespan": SLOW[:3]}})
    for slot in [one for one in found.slots if one.contender == "B"]:
        del found.attempts[slot]
    first = Slot("", "B", 0)
    found.attempts[first] = [repetition(first, {}, status=Status.BROKEN, message="no such flag", seconds={})]
    result = judge(bench, found, Directory(tmp_path))
    assert result.contenders[1].failure == "its cluster did not come up: no such flag"
    assert result.cell("", "B", "makespan").why == "no repetition came to its end"
    assert result.failed


def test_the_remaining_time(tmp_path: Path) -> None:
    bench = planned(tmp_path / "bench", repetitions=2)
    found = Progress(bench, list(bench.schedule()))
    assert found.remaining() is None
    for slot in found.slots[:2]:
        found.attempts[slot] = [
            repetition(slot, {}, seconds={"start": 5.0, "run": 10.0 if slot.contender == "A" else 20.0})
        ]
    assert found.done == 2
    assert found.remaining() == pytest.approx(2 * 15 + 2 * 25)


def test_files(tmp_path: Path) -> None:
    result = judged(tmp_path, {"A": FAST, "B": SLOW}, verdict=[{"measure": "makespan", "worse-than-baseline": "10%"}])
    text = json_file.text(result)
    schema = orjson.loads(resources.schema("bench-result").read_bytes())
    Draft202012Validator(schema).validate(orjson.loads(text))
    (tmp_path / "result.json").write_text(text)
    assert json_file.load(tmp_path) == result
    rows = list(csv.DictReader(io.StringIO(csv_file.text(result))))
    assert len(rows) == 10
    assert rows[0] == {
        "scenario": "",
        "contender": "A",
        "repetition": "1",
        "measure": "makespan",
        "value": "20.0",
        "unit": "s",
        "marked": "",
    }
    assert "| A (baseline) | 20.1 s" in markdown_file.document(result)
    typical = files.typical(result, "", "A")
    assert typical is not None
    assert typical.number == 4  # 20.1 is the median


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 2}', '{"format": 1}'])
def test_what_is_no_result(tmp_path: Path, content: str) -> None:
    (tmp_path / "result.json").write_text(content)
    with pytest.raises(DocumentError, match=r"result\.json"):
        json_file.load(tmp_path)


def test_what_is_left_out_is_not_missing(tmp_path: Path) -> None:
    """A contender whose cluster does not come up, or that failed twice, has nothing more to do: the bench is whole."""
    bench = planned(tmp_path / "bench", contenders="ABC", repetitions=3, measures=["makespan"], **{"warm-up": False})
    found = Progress(bench, list(bench.schedule()))
    for slot in found.slots:
        if slot.contender == "A":
            found.attempts[slot] = [repetition(slot, {"makespan": 20.0})]
        elif slot.contender == "B" and slot.number == 1:
            found.attempts[slot] = [repetition(slot, {}, status=Status.BROKEN, seconds={}, message="no")]
        elif slot.contender == "C" and slot.number < 3:
            found.attempts[slot] = [repetition(slot, {}, status=Status.TIMEOUT)]
            assert not found.skipped(slot)
    directory = Directory(tmp_path / "out")
    saved(found, directory)
    again = Progress.of(bench, directory)
    left = [slot for slot in again.slots if slot not in again.attempts]
    assert sorted((one.contender, one.number) for one in left) == [("B", 2), ("B", 3), ("C", 3)]
    assert all(again.skipped(slot) and not again.missing(slot) for slot in left)
    result = judge(bench, again, directory)
    assert result.whole
    assert "not finished" not in markdown_file.document(result)


def test_how_long_it_takes(tmp_path: Path) -> None:
    """By what each contender took so far; before that by what the file says, which says nothing by itself."""
    bench = planned(tmp_path / "bench", repetitions=2, takes="40s", **{"warm-up": False})
    found = Progress(bench, list(bench.schedule()))
    assert found.remaining() == 4 * 40
    first = found.slots[0]
    found.attempts[first] = [repetition(first, {"makespan": 20.0}, seconds={"start": 4, "run": 26})]
    assert found.remaining() == 3 * 30
    second = found.slots[1]
    found.attempts[second] = [repetition(second, {"makespan": 20.0}, seconds={"start": 4, "run": 46})]
    assert found.remaining() == 30 + 50
    silent = planned(tmp_path / "silent", **{"warm-up": False})
    assert Progress(silent, list(silent.schedule())).remaining() is None
