from __future__ import annotations

import pytest

from knavtool.errors import RenderError
from knavtool.render.arithmetic import evaluate


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        (" 3 + 1 \n", 4),
        ("2 * (3 + 4)", 14),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 / -2", -3),
        ("-7 % 3", -1),
        ("7 % -3", 1),
        ("- - 3", 3),
        ("+3", 3),
        ("9007199254740993 % 2", 1),
    ],
)
def test_values_are_those_of_go(text: str, value: int) -> None:
    assert evaluate(text) == value


@pytest.mark.parametrize(
    "text",
    ["", "two", "1.5", "True", "2 ** 3", "7 // 2", "1 +", "(1", "0x10", "1 if 2", "1, 2", "010", "2 (3)", "1" * 5000],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(RenderError, match="is not a whole number"):
        evaluate(text)


@pytest.mark.parametrize("text", ["1 / 0", "1 % (2 - 2)"])
def test_division_by_zero_is_refused(text: str) -> None:
    with pytest.raises(RenderError, match="divides by zero"):
        evaluate(text)
