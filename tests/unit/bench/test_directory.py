"""The directory of a bench: what it keeps, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from knavtool.bench.asking import Asked
from knavtool.bench.directory import Directory, alone
from knavtool.bench.planning import Slot
from knavtool.bench.running import Progress
from knavtool.errors import DocumentError, EngineError
from support.benches import planned, progress, saved


def test_what_was_asked_is_there_again(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "out")
    asked = Asked(path="/x/bench.yml", on=("a", "b"), repetitions=3, variables={"ttl": "2s"}, measures=("makespan",))
    directory.begin(asked, "sum")
    assert directory.asked() == (asked, "sum")
    with pytest.raises(DocumentError, match="has a bench already"):
        directory.begin(asked, "sum")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "is not the directory of a bench"),
        ("{", "cannot be read"),
        ('{"format": 2, "knavtool": "9.9"}', r"was written by knavtool 9\.9 in format 2; this one reads format 1"),
        ('{"format": 1, "asked": {"colour": "red"}, "digest": ""}', "cannot be read"),
    ],
)
def test_what_cannot_be_resumed(tmp_path: Path, content: str | None, expected: str) -> None:
    if content is not None:
        (tmp_path / "bench.json").write_text(content)
    with pytest.raises(DocumentError, match=expected):
        Directory(tmp_path).asked()


def test_repetitions_are_there_again(tmp_path: Path) -> None:
    bench = planned(tmp_path / "bench", repetitions=2)
    found = progress(bench, {"A": {"makespan": [1.0, 2.0]}, "B": {"makespan": [3.0, None]}})
    directory = Directory(tmp_path / "out")
    saved(found, directory)
    again = Progress.of(bench, directory)
    assert again.attempts == found.attempts
    assert again.done == len(again.slots)


def test_a_repetition_that_cannot_be_read(tmp_path: Path) -> None:
    bench = planned(tmp_path / "bench")
    directory = Directory(tmp_path / "out")
    place = directory.of(bench, Slot("", "A", 1), 1)
    place.mkdir(parents=True)
    (place / "repetition.json").write_text("{")
    with pytest.raises(DocumentError, match=r"runs/a/1/repetition\.json cannot be read"):
        Progress.of(bench, directory)


def test_names_of_directories(tmp_path: Path) -> None:
    bench = planned(
        tmp_path / "bench", contenders=["Kueue 0.19", "kueue-0.19", "../..", "native gang"], matrix={"size": [1, 2]}
    )
    directory = Directory(Path("out"))
    places = [directory.of(bench, Slot("size=2", one.name, 1), 1) for one in bench.file.contenders]
    assert [str(one) for one in places] == [
        "out/runs/size-2/1-kueue-0.19/1",
        "out/runs/size-2/2-kueue-0.19/1",
        "out/runs/size-2/3-/1",
        "out/runs/size-2/native-gang/1",
    ]
    assert directory.of(bench, Slot("size=1", "native gang", 0), 1) == Path("out/runs/size-1/native-gang/warm-up")
    assert directory.of(bench, Slot("size=1", "native gang", 3), 2).name == "3-attempt-2"


def test_one_bench_at_a_time(tmp_path: Path) -> None:
    environment = {"XDG_DATA_HOME": str(tmp_path)}
    other = alone(Directory(tmp_path / "b"), environment)
    with (
        alone(Directory(tmp_path / "a"), environment),
        pytest.raises(EngineError, match=r"another bench is running \(process \d+, .*/a\)"),
        other,
    ):
        pass
    with alone(Directory(tmp_path / "b"), environment):
        pass
