"""The table of Knavigator's faults names every one of them, and tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from knavtool import resources

ROOT = resources.data_directory()
ROWS = re.findall(r"^\| (\d+) \|(.*)\|$", (ROOT / "docs" / "knavigator.md").read_text(encoding="utf-8"), re.MULTILINE)


@cache
def names(file: Path) -> frozenset[str]:
    """The test functions of a file."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_fault_has_a_row() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, 35))


@pytest.mark.parametrize(("number", "row"), ROWS, ids=[number for number, _ in ROWS])
def test_the_tests_of_a_row_exist(number: str, row: str) -> None:
    tests = re.findall(r"`(tests/[^`]*)::(\w+)`", row)
    assert tests
    for file, name in tests:
        assert name in names(ROOT / file), f"{file}::{name}"
