"""Two results of one workload: what moved, what is refused, what is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from knavtool.bench.comparing import as_data, differences, rows
from knavtool.bench.directory import Directory
from knavtool.bench.judging import judge
from knavtool.bench.result import Result
from knavtool.errors import DocumentError
from support.benches import planned, progress

FAST = [20.0, 20.4, 19.8, 20.1, 20.2]
SLOW = [24.0, 24.5, 23.9, 24.2, 24.1]


def result(directory: Path, samples: dict[str, list[float]], **fields: object) -> Result:
    bench = planned(directory / "bench", contenders=list(samples), measures=["makespan"], **fields)
    found = progress(bench, {name: {"makespan": values} for name, values in samples.items()})
    return judge(bench, found, Directory(directory))


def test_what_moved(tmp_path: Path) -> None:
    old = result(tmp_path, {"A": FAST, "B": SLOW, "gone": FAST})
    new = result(tmp_path, {"B": SLOW, "A": SLOW, "more": FAST})
    found = differences(old, new, worse=0.1, other_machine=False)
    assert rows(found) == [
        ("", "A", "makespan", "20.1 s", "24.1 s", "5, 5", "worse, +20 % (more than it may be)"),
        ("", "B", "makespan", "24.1 s", "24.1 s", "5, 5", "same"),
    ]
    assert found.failed
    assert found.certain
    assert found.cautions == ["only the old result has gone", "only the new result has more"]
    data = as_data(found)
    assert data["moved"][0]["change"] == pytest.approx(0.2, abs=0.01)
    assert not differences(old, new, worse=0.3, other_machine=False).failed
    assert not differences(old, new, worse=None, other_machine=False).failed
    assert not differences(new, old, worse=0.1, other_machine=False).failed  # faster is no fault


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    old = result(tmp_path, {"A": FAST})
    with pytest.raises(DocumentError, match="of different workloads"):
        differences(old, replace(old, digest="other"), worse=None, other_machine=False)
    elsewhere = replace(old, machine={**old.machine, "cores": "64"}, knavtool="9.9")
    with pytest.raises(DocumentError, match=r"of different machines: cores .* and '64'"):
        differences(old, elsewhere, worse=None, other_machine=False)
    told = differences(old, elsewhere, worse=None, other_machine=True).cautions
    assert told[0].startswith("different machines: cores ")
    assert told[1].startswith("different versions of knavtool: ")
    with pytest.raises(DocumentError, match="no contender in common"):
        differences(old, result(tmp_path, {"B": FAST}), worse=None, other_machine=False)


def test_too_few_repetitions(tmp_path: Path) -> None:
    old = result(tmp_path, {"A": FAST[:2]}, repetitions=2)
    new = result(tmp_path, {"A": SLOW[:2]}, repetitions=2)
    found = differences(old, new, worse=0.01, other_machine=False)
    assert [row[-1] for row in rows(found)] == ["cannot tell, +20 %"]
    assert not found.failed
    assert not found.certain
