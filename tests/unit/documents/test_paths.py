"""The paths argument: comma lists, braces, directories."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from knavtool.documents.paths import expand_paths
from knavtool.errors import ExitCode, UsageError

FILES = ["a.yml", "b.yaml", "c.yml", "notes.txt", "dir/x.yml", "dir/y.yaml", "dir/z.txt", "dir/deep/w.yml", "k1-s.yml"]


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["a.yml"], ["a.yml"]),
        (["a.yml", "b.yaml"], ["a.yml", "b.yaml"]),
        (["b.yaml,a.yml"], ["b.yaml", "a.yml"]),
        ([" b.yaml , a.yml ,"], ["b.yaml", "a.yml"]),
        (["{a,c}.yml"], ["a.yml", "c.yml"]),
        (["{ c , a }.yml"], ["c.yml", "a.yml"]),
        (["dir/{x.yml,y.yaml}"], ["dir/x.yml", "dir/y.yaml"]),
        (["{a,c}.yml,b.yaml"], ["a.yml", "c.yml", "b.yaml"]),
        (["a{,}.yml"], ["a.yml", "a.yml"]),
        (["a{}.yml"], ["a.yml"]),
        (["dir"], ["dir/x.yml", "dir/y.yaml"]),
        (["dir/,a.yml"], ["dir/x.yml", "dir/y.yaml", "a.yml"]),
        # A file is taken as it is named, whatever its suffix.
        (["notes.txt"], ["notes.txt"]),
    ],
)
def test_files(arguments: list[str], files: list[str]) -> None:
    assert [str(path) for path in expand_paths(arguments)] == files


@pytest.mark.parametrize("name", ["one,two.yml", "{a}.yml", "open{.yml"])
def test_a_file_with_a_strange_name(name: str) -> None:
    Path(name).touch()
    assert expand_paths([name]) == [Path(name)]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("a.yaml", "a.yaml: no such file; did you mean 'a.yml'?"),
        ("nowhere/a.yml", "nowhere/a.yml: no such file"),
        ("empty", "empty: the directory holds no .yml or .yaml file"),
        ("{a,c.yml", "unbalanced braces in '{a,c.yml'; write {a,b}, one level deep"),
        ("a,c}.yml", "unbalanced braces in 'a,c}.yml'; write {a,b}, one level deep"),
        ("}{", "unbalanced braces in '}{'; write {a,b}, one level deep"),
        ("{a,{b,c}}.yml", "nested braces in '{a,{b,c}}.yml'; write {a,b}, one level deep"),
        ("", "'' names no file"),
        (",", "',' names no file"),
    ],
)
def test_what_cannot_be_used(argument: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        expand_paths([argument])
    assert caught.value.message == message
    assert caught.value.exit_code == ExitCode.BAD_INPUT


def test_everything_missing_is_named_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        expand_paths(["a.yml,gone1", "{", "gone2"])
    assert [line.partition(":")[0] for line in caught.value.message.splitlines()] == [
        "gone1",
        "unbalanced braces in '{'; write {a,b}, one level deep",
        "gone2",
    ]


def test_several_braces_change_the_left_one_slowest() -> None:
    chance = random.Random(1)
    for _ in range(50):
        parts = [
            [f"{pair}{number}" for number in range(chance.randrange(1, 4))] for pair in "pqr"[: chance.randrange(1, 4)]
        ]
        names = ["-".join(choice) for choice in itertools.product(*parts)]
        for name in names:
            Path(name).touch()
        assert expand_paths(["-".join("{" + ",".join(part) + "}" for part in parts)]) == [Path(name) for name in names]
