"""Arguments by the names of their flags."""

from __future__ import annotations

import pytest

from knavtool.errors import UsageError
from knavtool.settings.flags import names, read_flag, with_flags

ARGS = ["--a=1", "-b", "--c", "value", "run", "--a=2", "--d"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--v=4", ("v", "--v=4")),
        ("-kubeConfig=x", ("kubeConfig", "-kubeConfig=x")),
        ("--enable", ("enable", "--enable")),
        ("--feature-gates=A=true,B=false", ("feature-gates", "--feature-gates=A=true,B=false")),
        ("--leader-elect-", ("leader-elect", None)),
        ("--name=a-", ("name", "--name=a-")),
        ("--empty=", ("empty", "--empty=")),
    ],
)
def test_a_flag_is_read(text: str, expected: tuple[str, str | None]) -> None:
    assert read_flag(text) == expected


@pytest.mark.parametrize("text", ["v=4", "--", "-", "--=4", "--v 4", "---v"])
def test_what_is_no_flag_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="is no flag"):
        read_flag(text)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ARGS),
        ({"a": "--a=3"}, ["-b", "--c", "value", "run", "--a=3", "--d"]),
        ({"b": None}, ["--a=1", "--c", "value", "run", "--a=2", "--d"]),
        ({"c": "--c=x"}, ["--a=1", "-b", "--c=x", "run", "--a=2", "--d"]),
        ({"c": None, "a": None}, ["-b", "run", "--d"]),
        ({"e": "--e=1", "f": None}, [*ARGS, "--e=1"]),
        ({"d": "--d=false"}, ["--a=1", "-b", "--c", "value", "run", "--a=2", "--d=false"]),
    ],
)
def test_flags_take_the_place_of_their_namesakes(changes: dict[str, str | None], expected: list[str]) -> None:
    assert with_flags(ARGS, changes) == expected


def test_the_names_of_flags() -> None:
    assert names(ARGS) == {"a", "b", "c", "d"}
